use super::run;
use crate::options::generations;
use crate::options::state_commands::StateCommand;

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_command_line_is_read() {
    let parse = |command, words: Vec<String>| generations::parse(StateCommand::named(command).unwrap(), &words);
    let request = parse("diff", words("--tpmstate dir=/x --from 3 --to=9 --json")).unwrap();
    assert_eq!((request.from, request.to, request.json), (Some(3), Some(9), true));
    assert!(parse("diff", words("--from three")).is_err());
    assert!(parse("restore", words("--reason=")).is_err());
    assert!(parse("show", words("--colour red")).is_err());
    assert!(parse("show", words("--reason because")).is_err(), "an option of another command");
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

#[test]
fn the_help_names_every_command() {
    let usage = crate::options::help::STATE.lines().take_while(|line| !line.is_empty());
    let named: Vec<&str> = usage.flat_map(|line| line.split([' ', '|'])).collect();
    let all = super::COMMANDS.iter().map(|(name, _)| *name).chain(super::OTHERS.iter().map(|(name, _)| *name));
    for name in all.chain(["rewrap", "reseal"]) {
        assert!(named.contains(&name), "vtpmd state {name} is not in the usage");
    }
}
