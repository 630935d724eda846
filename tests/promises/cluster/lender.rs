//! A hub that can be killed and started again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use throughline_store::{MemoryStore, Store};
use throughline_store_hub::{Address, Hub, Secret};
use throughline_store_sled::SledOptions;
use tokio::runtime::Runtime;

use super::PathBufExt as _;
