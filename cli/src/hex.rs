//! Hex digits in machine formats: no white space, no prefix.

use callproof_vm::{Endian, Insn};

/// Instructions from the hex digits of their bytes.
pub(crate) fn program(hex: &str, endian: Endian) -> Result<Vec<Insn>, String> {
    let bytes = bytes(hex)?;
    let (insns, rest) = bytes.as_chunks::<{ Insn::SIZE }>();
    if !rest.is_empty() {
        return Err(format!(
            "{} bytes are no whole instructions, which have {} each",
            bytes.len(),
            Insn::SIZE
        ));
    }
    Ok(insns.iter().map(|&insn| Insn::from_bytes(insn, endian)).collect())
}

/// The hex digits of bytes.
pub(crate) fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from hex digits in pairs.
pub(crate) fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(format!("{} hex digits are no whole bytes", hex.len()));
    }
    let byte = |&[high, low]: &[u8; 2]| Some(digit(high)? << 4 | digit(low)?);
    pairs
        .iter()
        .map(byte)
        .collect::<Option<_>>()
        .ok_or_else(|| "a character is not a hex digit".to_owned())
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes(&digits(&all)), Ok(all.clone()));
        assert_eq!(bytes(&digits(&all).to_uppercase()), Ok(all));
        assert!(bytes("0").is_err() && bytes("0g").is_err() && bytes("\u{e9}").is_err());
    }

    #[test]
    fn whole_instructions() {
        assert_eq!(
            program("06000000ffff0000", Endian::Little),
            Ok(vec![Insn::stmt(6, 0xffff)])
        );
        assert_eq!(
            program("000600000000ffff", Endian::Big),
            Ok(vec![Insn::stmt(6, 0xffff)])
        );
        assert_eq!(program("", Endian::Big), Ok(Vec::new()));
        assert_eq!(
            program("06", Endian::Little),
            Err("1 bytes are no whole instructions, which have 8 each".to_owned())
        );
    }
}
