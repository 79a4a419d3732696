//! The static program's functions are put in order by a script of the linker, which `cargo xtask layout` makes:
//! docs/decisions/0017-linked-statically.md.

fn main() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    println!("cargo::rerun-if-changed=layout.ld");
    if variable("CARGO_CFG_TARGET_ENV") == "musl" {
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{}/layout.ld", variable("CARGO_MANIFEST_DIR"));
    }
}
