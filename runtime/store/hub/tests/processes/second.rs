//! Two hubs on one store.

use crate::hub::{HubProcess, free_loopback};

pub(crate) fn a_second_hub_on_one_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut first = HubProcess::start(&free_loopback(), &path);
    assert_eq!(first.first_line(), "serving");
    let mut second = HubProcess::start(&free_loopback(), &path);
    let said = second.first_line();
    assert!(said.contains("in use"), "{said}");
    assert!(said.contains(&path.display().to_string()), "{said}");
    drop((first, second));
    let mut third = HubProcess::start(&free_loopback(), &path);
    assert_eq!(third.first_line(), "serving");
}
