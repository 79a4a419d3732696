//! Everything that a host may call of the engine, in one image without an operating system. The image is never run: its
//! machine code is searched for ways to a panic (`cargo xtask test bare-metal`, docs/decisions/0008-no-panic.md).
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod image;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("This program is for a machine without an operating system; cargo xtask test bare-metal looks into it.");
}
