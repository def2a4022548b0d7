//! Completions, as a real shell has them, and pages, as `man` has them.

use crate::support::{Lab, MEMQ};

#[test]
fn bash_completes_commands_options_and_values() {
    let lab = Lab::new();
    let script = format!(
        "source <({MEMQ} completions bash)\n\
         tried() {{ COMP_WORDS=(\"$@\"); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); COMPREPLY=(); \
         _memq memq \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[*]}}\"; }}\n\
         tried memq ret\ntried memq queue red\ntried memq load --nd\ntried memq queue ls --output y\n"
    );
    let mut bash = lab.command("bash", &["--norc", "-c", &script]);
    let Ok(output) = bash.output() else {
        eprintln!("passed over: there is no bash");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        ["retry", "redrive", "--ndjson", "yaml"],
        "{err}"
    );
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        lab.run(&["completions", shell]).exits(0).says("memq");
    }
}

#[test]
fn man_has_a_page_for_every_command() {
    let lab = Lab::new();
    lab.run(&["man", "pages/man1"]).exits(0).says("memq.1");
    let pages = lab.names("pages/man1");
    for page in ["memq.1", "memq-load.1", "memq-queue-redrive.1"] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
    assert!(pages.iter().all(|name| !name.contains("guard")));
    let mut man = lab.command("man", &["--warnings", "./pages/man1/memq-load.1"]);
    let Ok(output) = man.env("MANPAGER", "cat").output() else {
        eprintln!("passed over: there is no man");
        return;
    };
    let (shown, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(err, "");
    for said in ["--load-id", "find . -name '*.jpg'"] {
        assert!(shown.contains(said), "no `{said}` in {shown}");
    }
}
