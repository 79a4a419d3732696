//! `--manage`: where the management socket comes from.

use super::suboptions::Suboptions;
use super::{Endpoint, socket_descriptor};
use crate::failure::{Failure, failure};

/// Reads the value of `--manage`. A path is for its owner alone unless `mode=` says otherwise.
pub(super) fn manage(text: &str) -> Result<Endpoint, Failure> {
    let mut s = Suboptions::parse("manage", text)?;
    let kind = s.text("type")?.unwrap_or_else(|| "unixio".to_owned());
    if kind != "unixio" {
        return Err(failure!("--manage: type '{kind}' is unknown; unixio is known, where the kernel tells who asks"));
    }
    let fd = s.descriptor("fd")?.map(|n| socket_descriptor("manage", n)).transpose()?;
    let path = s.path("path")?;
    let (mode, uid, gid) = (s.mode("mode")?.unwrap_or(0o600), s.text("uid")?, s.text("gid")?);
    s.finish()?;
    match (path, fd) {
        (Some(path), None) => Ok(Endpoint::Path { path, mode, uid, gid }),
        (None, Some(fd)) => Ok(Endpoint::Listening(fd)),
        (Some(_), Some(_)) => Err(failure!("--manage: path= and fd= exclude each other")),
        (None, None) => Err(failure!("--manage needs path= or fd=")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_its_owners_and_a_descriptor_is_taken() {
        let path = |mode| Endpoint::Path { path: "/run/m".into(), mode, uid: None, gid: None };
        assert_eq!(manage("type=unixio,path=/run/m").unwrap(), path(0o600));
        assert_eq!(manage("path=/run/m,mode=0660").unwrap(), path(0o660));
        assert_eq!(manage("fd=7").unwrap(), Endpoint::Listening(7));
        for bad in ["", "type=tcp,port=1", "path=/run/m,fd=7", "fd=1", "path=/run/m,terminate"] {
            assert!(manage(bad).is_err(), "{bad}");
        }
    }
}
