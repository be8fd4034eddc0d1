//! The table of `strace -c`.

use callproof_abi::Abi;

use super::error::TraceProblem;
use super::seen::TraceCall;

/// Reads the lines of one table after another.
pub(super) struct Reader {
    native: Abi,
    abi: Abi,
    /// The place of the counts among the columns
    column: Option<usize>,
}

impl Reader {
    pub(super) const fn new(native: Abi) -> Self {
        Self {
            native,
            abi: native,
            column: None,
        }
    }

    pub(super) fn line(&mut self, line: &str) -> Result<Option<TraceCall>, TraceProblem> {
        if let Some(rest) = line.trim().strip_prefix("System call usage summary for ") {
            self.abi = personality(rest, self.native);
            self.column = None;
            return Ok(None);
        }
        if line.contains("syscall") && line.contains("calls") && !line.contains("------") {
            let header = line.replace("% time", "%time");
            self.column = header.split_whitespace().position(|word| word == "calls");
            return Ok(None);
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(column), Some(name)) = (self.column, words.last()) else {
            return Ok(None);
        };
        if name.starts_with("---") || *name == "total" {
            return Ok(None);
        }
        let count = words.get(column).filter(|_| column.saturating_add(1) < words.len());
        let count = count
            .and_then(|count| count.parse().ok())
            .ok_or_else(|| TraceProblem::line(0, "a row of the table has no number of calls"))?;
        let nr = self.abi.number(name).ok();
        Ok(Some(TraceCall {
            nr,
            name: Some((*name).to_owned()),
            count,
            ..TraceCall::new(self.abi)
        }))
    }
}

/// The ABI that strace means by `32 bit mode`, `x32 mode` and `64 bit mode`.
pub(super) fn personality(text: &str, native: Abi) -> Abi {
    let of = |abis: &[Abi], bits| {
        let mut all = core::iter::once(native).chain(native.partners().iter().copied());
        all.find(|abi| !abis.contains(abi) && abi.pointer_bits() == bits)
    };
    let found = if text.starts_with("x32") {
        Some(Abi::X32)
    } else if text.starts_with("32") {
        of(&[Abi::X32, Abi::MipsN32, Abi::MipselN32], 32)
    } else {
        of(&[], 64)
    };
    found.unwrap_or(native)
}
