//! Rust source without its comments and literals, for searching in what is really code.

/// Replace comments, strings and characters by spaces; line numbers stay.
pub(super) fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = literal_or_comment(rest, code.chars().next_back());
        let taken = if length == 0 { first.len_utf8() } else { length };
        let (part, after) = rest.split_at(taken);
        if length == 0 {
            code.push(first);
        } else {
            code.extend(part.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    code
}

/// Length of the comment or literal at the start of `text`; 0 if there is none.
fn literal_or_comment(text: &str, before: Option<char>) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment(text);
    }
    if text.starts_with('"') {
        return quoted(text, '"');
    }
    if text.starts_with('\'') {
        return character(text);
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if text.starts_with('r') && !in_word { raw_string(text) } else { 0 }
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            match rest.chars().next() {
                Some(c) => at += c.len_utf8(),
                None => return text.len(),
            }
        }
    }
    text.len()
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// A character literal; a lifetime is none.
fn character(text: &str) -> usize {
    let mut chars = text.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => quoted(text, '\''),
        (Some(c), Some('\'')) => c.len_utf8() + 2,
        _ => 0,
    }
}

/// `r"…"`, `r#"…"#` and so on.
fn raw_string(text: &str) -> usize {
    let hashes = text.chars().skip(1).take_while(|c| *c == '#').count();
    let open = 1 + hashes;
    match text.get(open..) {
        Some(body) if body.starts_with('"') => {
            let close = format!("\"{}", "#".repeat(hashes));
            match body.get(1..).and_then(|inner| inner.find(&close)) {
                Some(end) => open + 1 + end + close.len(),
                None => text.len(),
            }
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::without_comments_and_strings as clean;

    #[test]
    fn keeps_code_and_lines() {
        assert_eq!(clean("a // b\nc").replace(' ', ""), "a\nc");
        assert_eq!(clean("a /* b /* c */ d */ e").replace(' ', ""), "ae");
        assert_eq!(clean("f(\"x\\\"y\", 'z', '\\'')").replace(' ', ""), "f(,,)");
        assert_eq!(clean("r#\"a \" b\"# c").replace(' ', ""), "c");
        assert_eq!(clean("fn a<'b>(c: &'b str)"), "fn a<'b>(c: &'b str)");
        assert_eq!(clean("\"ä\"é"), "    é".replacen("    ", "   ", 1));
    }
}
