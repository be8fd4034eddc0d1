//! `convert` to a format of policies: written only when it is proved to mean the same.

use callproof::Rewritten;
use callproof::relate::Decision;
use callproof_formats::policy::{PolicyFormat, Runtime};

use super::convert::stem;
use super::written::Product;
use crate::args::{AnyFormat, Convert};
use crate::error::{Failure, Result};
use crate::input::{Loaded, Source};
use crate::render;
use crate::settings::Settings;

/// The policies of an input in another format.
pub(super) fn products(
    convert: &Convert,
    loaded: &[Loaded],
    format: PolicyFormat,
    settings: &Settings,
) -> Result<Vec<Product>> {
    let typed = &convert.filter;
    let Some(Source { compiled, .. }) = loaded.first().and_then(|one| one.policy.as_ref()) else {
        return Err(no_policy(typed, format));
    };
    let written = compiled.rewritten(format, &settings.options(), convert.only_arch)?;
    let product = |(one, rewritten): (&Loaded, _)| product(&one.name, rewritten, format, convert.only_arch, settings);
    let products: Vec<Product> = loaded.iter().zip(written).map(product).collect::<Result<_>>()?;
    if !settings.quiet {
        for (one, product) in loaded.iter().zip(&products) {
            let about = product.about.as_deref().unwrap_or_default();
            render::note(&one.name, &format!("written as a {about}"));
        }
    }
    Ok(products)
}

/// `--only-arch` is about policies, and needs `--arch`.
pub(super) fn check_only_arch(to: AnyFormat, settings: &Settings) -> Result<()> {
    if let AnyFormat::Filter(format) = to {
        let message = format_args!("`--only-arch` is for formats of policies, and {format} is one of filters");
        return Err(Failure::usage(message).with_help("leave it away: a filter says what it says on every ABI"));
    }
    if settings.abis_given().is_none() {
        let failure = Failure::usage("`--only-arch` needs the ABIs that count");
        return Err(failure.with_help("name them, as in `--arch x86_64`"));
    }
    Ok(())
}

fn no_policy(typed: &str, format: PolicyFormat) -> Failure {
    Failure::usage(format_args!(
        "`{}` is a filter, and a filter is not a policy: it cannot be written as {format}",
        crate::input::shown(typed)
    ))
    .with_help(
        "name the policy that it was made of, write it in a format of filters such as `--to asm`, or see what it does with \
         `callproof explain`",
    )
}

/// The text, if it is proved to mean the same.
fn product(
    name: &str,
    rewritten: Rewritten,
    format: PolicyFormat,
    only_arch: bool,
    settings: &Settings,
) -> Result<Product> {
    match &rewritten.same {
        Decision::Holds(_) => {}
        Decision::Fails(witness) => {
            let message = format!("written as {format} it means something else, and so nothing is written\n{witness}");
            return Err(Failure::finding(message).at(name).with_help(why(settings)));
        }
        Decision::Undecided(tried) => {
            let message = format!("whether it means the same, written as {format}, is undecided: {tried}");
            let help = "nothing is written; split the policy, or name fewer ABIs with `--arch`";
            return Err(Failure::undecided(message).at(name).with_help(help));
        }
    }
    let file = format!("{}.{}", stem(name), format.extension());
    Ok(Product {
        about: Some(about(&rewritten, format, only_arch, settings)),
        ..Product::text(file, rewritten.text.text)
    })
}

/// What to do about a text that is read in another way.
fn why(settings: &Settings) -> String {
    match settings.options().runtime {
        Some(runtime) if runtime != Runtime::Spec => format!(
            "the text was read as {} reads it, because of `--runtime`; without it the plain reading counts, for the policy too",
            runtime.name()
        ),
        _ => "this should not be; please report it with the policy".to_owned(),
    }
}

/// What was written, for which ABIs, and what is proved.
fn about(rewritten: &Rewritten, format: PolicyFormat, only_arch: bool, settings: &Settings) -> String {
    let names = |abis: &[callproof_abi::Abi]| abis.iter().map(|abi| abi.name()).collect::<Vec<_>>().join(",");
    let given = settings.abis_given().unwrap_or_default();
    let beside = match (rewritten.text.abis.as_slice(), format) {
        ([], PolicyFormat::Policy) if !given.is_empty() => format!(", to be read with `--arch {}`", names(given)),
        ([], _) => String::new(),
        (abis, _) => format!(", to be read with `--arch {}`", names(abis)),
    };
    let calls = if only_arch {
        format!("every call of {}; other ABIs are left to its reader", names(given))
    } else {
        "every call".to_owned()
    };
    format!("policy ({format}){beside}, proved to mean the same for {calls}")
}
