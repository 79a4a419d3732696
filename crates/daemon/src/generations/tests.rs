use super::run;
use crate::options::generations::parse;

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_command_line_is_read() {
    let request = parse(&words("--tpmstate dir=/x --from 3 --to=9 --json")).unwrap();
    assert_eq!((request.from, request.to, request.json), (Some(3), Some(9), true));
    assert!(parse(&words("--from three")).is_err());
    assert!(parse(&words("--reason=")).is_err());
    assert!(parse(&words("--colour red")).is_err());
}

#[test]
fn what_is_missing_is_named() {
    let fails = |text: &str| run(&words(text)).unwrap_err().to_string();
    assert!(fails("").contains("--help"));
    assert!(fails("dance").contains("'dance' is not a command"));
    assert!(fails("show").contains("--tpmstate"));
    assert!(fails("show --tpmstate dir=/nowhere/at/all").contains("there is no /nowhere"));
    let folder = crate::testing::Folder::new("state-command");
    for command in ["show", "history", "diff", "verify", "restore --generation 1 --reason test"] {
        let text = fails(&format!("{command} --tpmstate dir={}", folder.path().display()));
        assert!(text.contains("there is no"), "{command}: {text}");
    }
}
