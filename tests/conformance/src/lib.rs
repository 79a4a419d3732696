//! Tables typed from the specification by hand. Their tests hold them against what the engine generates from its structs.

/// The commands of Part 3: `code,name,handles,rhandle,nv,extensive,flushed,decrypt,encrypt,sessions,parameters,response`.
pub const COMMANDS: &str = include_str!("../commands.csv");
