//! JSON to be written (RFC 8259), in the order in which it is built.

use core::fmt;

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// A figure, rounded to thousandths; what is not finite is null.
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn number(value: Option<f64>) -> Self {
        value.map_or(Self::Null, Self::Number)
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

impl fmt::Display for Json {
    /// Members of a list of objects stand on lines of their own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) if !value.is_finite() => f.write_str("null"),
            Self::Number(value) => write!(f, "{}", (value * 1000.0).round() / 1000.0),
            Self::Text(text) => quoted(f, text),
            Self::List(values) => {
                let lines = values.iter().any(|value| matches!(value, Self::Object(_)));
                f.write_str("[")?;
                for (i, value) in values.iter().enumerate() {
                    f.write_str(if i > 0 { "," } else { "" })?;
                    f.write_str(if lines { "\n" } else { "" })?;
                    write!(f, "{value}")?;
                }
                f.write_str(if lines { "\n]" } else { "]" })
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (i, (name, value)) in members.iter().enumerate() {
                    f.write_str(if i > 0 { "," } else { "" })?;
                    quoted(f, name)?;
                    write!(f, ":{value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn values_are_written() {
        let value = Json::Object(vec![
            ("a", Json::Number(1.23456)),
            ("b", Json::text("x\"\\\n")),
            ("c", Json::List(vec![Json::Null, Json::Bool(true), Json::number(None)])),
            ("d", Json::Number(f64::NAN)),
        ]);
        assert_eq!(value.to_string(), r#"{"a":1.235,"b":"x\"\\\u000a","c":[null,true,null],"d":null}"#);
    }
}
