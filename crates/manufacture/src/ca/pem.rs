//! Blocks of PEM files (RFC 7468), which may have other text between them.

/// The first block of this label, with its boundaries.
pub(crate) fn first<'a>(text: &'a [u8], label: &str) -> Option<&'a [u8]> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let start = find(text, begin.as_bytes())?;
    let rest = text.get(start..)?;
    let length = find(rest, end.as_bytes())?.saturating_add(end.len());
    rest.get(..length)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_is_found_between_other_text() {
        let text = b"Bag\n-----BEGIN A-----\nx\n-----END A-----\n-----BEGIN B-----\ny\n-----END B-----\n";
        assert_eq!(first(text, "B").unwrap(), b"-----BEGIN B-----\ny\n-----END B-----");
        assert!(first(text, "C").is_none());
        assert!(first(b"-----BEGIN A-----\nx", "A").is_none());
    }
}
