//! What a command makes, rather than finds: filters in some format, scripts, pages.

use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// Products and where they go.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) command: &'static str,
    pub(crate) target: Target,
    pub(crate) products: Vec<Product>,
}

/// Where products go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Stdout,
    /// One file for all
    File(PathBuf),
    /// A file for each
    Folder(PathBuf),
}

impl Target {
    /// A file, if one was named.
    pub(crate) fn file(path: Option<PathBuf>) -> Self {
        path.map_or(Self::Stdout, Self::File)
    }

    /// A folder, if one was named.
    pub(crate) fn folder(path: Option<PathBuf>) -> Self {
        path.map_or(Self::Stdout, Self::Folder)
    }
}

/// One product.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    /// Its file name
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// Whether it is text
    pub(crate) is_text: bool,
    /// What it is, when the name does not say
    pub(crate) about: Option<String>,
    /// A line before it where several are printed one after the other
    pub(crate) heading: Option<String>,
}

impl Product {
    pub(crate) fn text(name: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: text.into(),
            is_text: true,
            about: None,
            heading: None,
        }
    }

    fn as_text(&self) -> Option<&str> {
        str::from_utf8(&self.bytes).ok().filter(|_| self.is_text)
    }
}

impl Written {
    /// The files in the folder that are written.
    pub(crate) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.products.iter().filter_map(|product| self.path_of(product))
    }

    fn path_of(&self, product: &Product) -> Option<PathBuf> {
        match &self.target {
            Target::Folder(folder) => Some(folder.join(&product.name)),
            Target::Stdout | Target::File(_) => None,
        }
    }
}

/// As JSON a product is where it was written to or, when it was not, what it holds: text, or bytes in hex.
impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            products: Vec<ShownProduct<'a>>,
        }
        #[derive(Serialize)]
        struct ShownProduct<'a> {
            name: &'a str,
            about: Option<&'a str>,
            file: Option<PathBuf>,
            text: Option<&'a str>,
            hex: Option<String>,
        }
        let products = self.products.iter().map(|product| {
            let file = match &self.target {
                Target::File(path) => Some(path.clone()),
                _ => self.path_of(product),
            };
            let (text, here) = (product.as_text(), file.is_none());
            ShownProduct {
                name: &product.name,
                about: product.about.as_deref(),
                file,
                text: text.filter(|_| here),
                hex: (here && text.is_none()).then(|| digits(&product.bytes)),
            }
        });
        Shown {
            products: products.collect(),
        }
        .serialize(serializer)
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
