//! The border with C.
//!
//! Every pointer that comes in is checked as far as it can be: it is not null, it is aligned, and the length that goes
//! with it is within a limit. That so many elements stand behind it is the caller's promise. Every function catches
//! panics, and none keeps a pointer after it has returned.
#![expect(
    unsafe_code,
    reason = "C hands over raw pointers and finds functions by their unmangled names; no other file has `unsafe`"
)]
#![deny(clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]

use core::ffi::{CStr, c_char};
use core::panic::AssertUnwindSafe;
use core::{ptr, slice};
use std::ffi::CString;
use std::panic::catch_unwind;

use callproof_vm::Insn;

use crate::asked::{self, Relation, Said, Stop, Surroundings};
use crate::types::{Outcome, RawCall, RawFilter, RawOptions, RawVerdict, RawWitness};

/// Instructions of a filter: what the length field of `struct sock_fprog` can say.
const MOST_INSNS: usize = 65_535;
/// Filters of a chain: the kernel's budget of 32,768 instructions, each filter with four extra, has no room for more.
const MOST_FILTERS: usize = 8_192;
/// Bytes of a policy.
const MOST_TEXT: usize = 1 << 20;

/// The version of the library, such as "0.1.0". It is static: do not free it.
#[unsafe(no_mangle)]
pub extern "C" fn callproof_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// Frees a message. A null pointer is fine.
///
/// # Safety
/// `text` is null, or was given out by this library as a message and not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn callproof_string_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: the caller promises that it came out of `CString::into_raw` in `told`, and is freed once.
        drop(unsafe { CString::from_raw(text) });
    }
}

/// Would the kernel install this filter? CALLPROOF_RESULT_FINDING comes with a message that has a line for each broken rule.
///
/// # Safety
/// `filter` and `options` are null or point to such a struct, whose own pointers are null or good for as much as the
/// struct says; `message` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn callproof_check(
    filter: *const RawFilter,
    options: *const RawOptions,
    message: *mut *mut c_char,
) -> Outcome {
    let asked = caught(|| {
        // SAFETY: the caller promises what these need.
        let (programs, options) = unsafe { (chain("filter", filter, 1)?, surroundings(options)?) };
        asked::check(programs.first().map_or(&[], Vec::as_slice), options)
    });
    // SAFETY: the caller promises that `message` can be written.
    unsafe { told(asked, message) }
}

/// What do these filters, oldest first, decide about a call? `verdict` is written with CALLPROOF_RESULT_OK alone.
///
/// # Safety
/// `filters` points to `count` structs; else as for callproof_check.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn callproof_eval(
    filters: *const RawFilter,
    count: usize,
    call: *const RawCall,
    options: *const RawOptions,
    verdict: *mut RawVerdict,
    message: *mut *mut c_char,
) -> Outcome {
    let asked = caught(|| {
        // SAFETY: the caller promises what these need.
        let (programs, calls, options) = unsafe {
            let calls = elements("call", call, 1, 1)?;
            (chain("filters", filters, count)?, calls, surroundings(options)?)
        };
        let call = calls.first().ok_or_else(|| missing("call"))?;
        asked::eval(&programs, &(*call).into(), options)
    });
    // SAFETY: the caller promises that both can be written.
    unsafe {
        put(verdict, asked.verdict);
        told(asked, message)
    }
}

/// Do two chains of filters, each oldest first, give every call the same verdict? CALLPROOF_RESULT_OK says that it is proved
/// for every call; with CALLPROOF_RESULT_FINDING alone `witness` is written.
///
/// # Safety
/// As for callproof_eval; `witness` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn callproof_prove_equal(
    left: *const RawFilter,
    left_count: usize,
    right: *const RawFilter,
    right_count: usize,
    options: *const RawOptions,
    witness: *mut RawWitness,
    message: *mut *mut c_char,
) -> Outcome {
    // SAFETY: the caller promises what this needs.
    let asked = unsafe { related(Relation::Equal, (left, left_count), (right, right_count), options) };
    // SAFETY: the caller promises that both can be written.
    unsafe {
        put(witness, asked.witness);
        told(asked, message)
    }
}

/// Is the left chain never weaker than the right, that is: does no call get a less severe action from it? Else as
/// callproof_prove_equal.
///
/// # Safety
/// As for callproof_prove_equal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn callproof_never_weaker(
    left: *const RawFilter,
    left_count: usize,
    right: *const RawFilter,
    right_count: usize,
    options: *const RawOptions,
    witness: *mut RawWitness,
    message: *mut *mut c_char,
) -> Outcome {
    // SAFETY: the caller promises what this needs.
    let asked = unsafe { related(Relation::NeverWeaker, (left, left_count), (right, right_count), options) };
    // SAFETY: the caller promises that both can be written.
    unsafe {
        put(witness, asked.witness);
        told(asked, message)
    }
}

/// Do filters give every call the verdict of a policy? The policy is UTF-8 text of `policy_len` bytes in any format that
/// callproof reads. Else as callproof_prove_equal.
///
/// # Safety
/// As for callproof_prove_equal; `policy` points to `policy_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn callproof_prove_policy(
    filters: *const RawFilter,
    count: usize,
    policy: *const c_char,
    policy_len: usize,
    options: *const RawOptions,
    witness: *mut RawWitness,
    message: *mut *mut c_char,
) -> Outcome {
    let asked = caught(|| {
        // SAFETY: the caller promises what these need.
        let (programs, policy, options) = unsafe {
            let policy = elements("policy", policy.cast::<u8>(), policy_len, MOST_TEXT)?;
            (chain("filters", filters, count)?, policy, surroundings(options)?)
        };
        asked::policy(programs, policy, options)
    });
    // SAFETY: the caller promises that both can be written.
    unsafe {
        put(witness, asked.witness);
        told(asked, message)
    }
}

/// # Safety
/// As for callproof_prove_equal.
unsafe fn related(
    relation: Relation,
    left: (*const RawFilter, usize),
    right: (*const RawFilter, usize),
    options: *const RawOptions,
) -> Said {
    caught(|| {
        // SAFETY: the caller promises what these need.
        let (left, right, options) = unsafe {
            (
                chain("left", left.0, left.1)?,
                chain("right", right.0, right.1)?,
                surroundings(options)?,
            )
        };
        asked::relate(relation, left, right, options)
    })
}

/// No panic leaves the library.
fn caught(ask: impl FnOnce() -> Result<Said, Stop>) -> Said {
    let panicked = |_| {
        Err(Stop {
            outcome: Outcome::Bug,
            message: "callproof stopped in the middle; what it said is on standard error: please report it".to_owned(),
        })
    };
    let said = catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(panicked);
    said.unwrap_or_else(Said::from)
}

fn missing(name: &str) -> Stop {
    Stop::usage(format!("`{name}` is missing: its pointer is null"))
}

/// Copies of filters.
///
/// # Safety
/// `filters` is null or points to `count` structs, whose pointers are null or point to as many instructions as they say.
unsafe fn chain(name: &str, filters: *const RawFilter, count: usize) -> Result<Vec<Vec<Insn>>, Stop> {
    // SAFETY: the caller promises it.
    let filters = unsafe { elements(name, filters, count, MOST_FILTERS)? };
    let program = |filter: &RawFilter| {
        // SAFETY: the caller promises it.
        let insns = unsafe { elements("insns", filter.insns, filter.len, MOST_INSNS)? };
        Ok(insns.iter().copied().map(Insn::from).collect())
    };
    filters.iter().map(program).collect()
}

/// What stands behind a pointer.
///
/// # Safety
/// `first` is null or points to `len` elements, which nobody changes as long as the slice is used.
unsafe fn elements<'a, T>(name: &str, first: *const T, len: usize, most: usize) -> Result<&'a [T], Stop> {
    if first.is_null() {
        return Err(missing(name));
    }
    if !first.is_aligned() {
        return Err(Stop::usage(format!("the pointer `{name}` is not aligned")));
    }
    if len > most {
        return Err(Stop::usage(format!(
            "the length of `{name}` is {len}, and at most {most} can be meant"
        )));
    }
    // SAFETY: it is not null, it is aligned, the length is far below isize::MAX, and the caller promises the rest.
    Ok(unsafe { slice::from_raw_parts(first, len) })
}

/// # Safety
/// `options` is null or points to a struct, whose pointers are null or point to text that ends with a zero byte.
unsafe fn surroundings<'a>(options: *const RawOptions) -> Result<Surroundings<'a>, Stop> {
    if options.is_null() {
        return Ok(Surroundings::default());
    }
    // SAFETY: the caller promises one struct.
    let options = unsafe { elements("options", options, 1, 1)? };
    let Some(options) = options.first() else {
        return Ok(Surroundings::default());
    };
    // SAFETY: the caller promises texts that end.
    unsafe {
        Ok(Surroundings {
            abis: text("abis", options.abis)?,
            kernel: text("kernel", options.kernel)?,
            runtime: text("runtime", options.runtime)?,
        })
    }
}

/// # Safety
/// `first` is null or points to text that ends with a zero byte.
unsafe fn text<'a>(name: &str, first: *const c_char) -> Result<Option<&'a str>, Stop> {
    if first.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller promises it.
    let text = unsafe { CStr::from_ptr(first) };
    let text = text.to_str();
    text.map(Some)
        .map_err(|_| Stop::usage(format!("`{name}` is not UTF-8 text")))
}

/// Writes what there is to a place that was given.
///
/// # Safety
/// `place` is null or can be written.
unsafe fn put<T>(place: *mut T, value: Option<T>) {
    if let Some(value) = value
        && !place.is_null()
    {
        // SAFETY: the caller promises that it can be written; it need not be aligned for this.
        unsafe { place.write_unaligned(value) };
    }
}

/// Hands over the message, null when there is none; the caller owns it.
///
/// # Safety
/// `message` is null or can be written.
unsafe fn told(said: Said, message: *mut *mut c_char) -> Outcome {
    if !message.is_null() {
        let text = said.message.map(|text| text.replace('\0', "\u{fffd}"));
        let text = text.and_then(|text| CString::new(text).ok());
        // SAFETY: the caller promises that it can be written.
        unsafe { put(message, Some(text.map_or(ptr::null_mut(), CString::into_raw))) };
    }
    said.outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_results() {
        let said = caught(|| panic!("for the test"));
        assert_eq!(said.outcome, Outcome::Bug);
        assert!(said.message.is_some());
    }

    #[test]
    fn a_zero_byte_does_not_cut_a_message() {
        let mut message = ptr::null_mut();
        // SAFETY: `message` can be written, and holds a message afterwards.
        let text = unsafe {
            told(Stop::usage("a\0b").into(), &raw mut message);
            let text = CStr::from_ptr(message).to_str().unwrap().to_owned();
            callproof_string_free(message);
            text
        };
        assert_eq!(text, "a\u{fffd}b");
    }

    #[test]
    fn pointers_that_lead_nowhere_are_refused() {
        let word = 0_u64;
        let odd = (&raw const word).cast::<u8>().wrapping_add(1).cast::<u32>();
        // SAFETY: nothing is read through any of them.
        unsafe {
            assert!(elements("null", ptr::null::<u8>(), 0, 1).is_err());
            assert!(elements("odd", odd, 1, 1).is_err());
            assert!(elements("long", &raw const word, usize::MAX, MOST_INSNS).is_err());
        }
    }
}
