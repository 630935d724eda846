//! P9, P10: what reading takes of memory follows the bytes that came, not what they claim.
//!
//! Every decoder, over the golden vectors, changed vectors and random bytes, allocates at most 8
//! times its input plus 64 KiB at its peak. The allocator counts all that is allocated meanwhile,
//! growing included; a block that is moved as it grows may exist twice, so the count is doubled.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the vectors' own test uses the rest of it")]
#[path = "vectors/files.rs"]
mod files;

use std::{
    alloc::System,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use throughline_link::{
    ClientConfig, ClientLink, Frame, Instant, LinkConfig, NodeLink, Secret, SessionId, Split,
    defaults::MAX_FRAME, split,
};

use self::files::{field, load, unhex};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The counters are the whole process's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

const NOW: Instant = Instant::from_micros(1_000_000);

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `read` over `input`, and checks what it takes.
fn measure<T>(what: &str, input: &[u8], read: impl FnOnce() -> T) -> T {
    let region = Region::new(ALLOCATOR);
    let result = read();
    let peak = 2 * region.change().bytes_allocated;
    let limit = 8 * input.len() + 64 * 1024;
    assert!(peak <= limit, "{what}: {peak} bytes for {} of input: {input:02x?}", input.len());
    result
}

/// SplitMix64, as in the crate: the same inputs in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// `input` itself, and changed: cut, with one byte changed, with lengths that claim everything.
fn with_changes(input: &[u8], random: &mut Random) -> Vec<Vec<u8>> {
    let mut all = vec![input.to_vec()];
    for _ in 0..24 {
        let mut changed = input.to_vec();
        let at = random.below(input.len().max(1));
        match random.below(4) {
            0 => changed.truncate(at),
            1 => changed[at] = random.next() as u8,
            2 => changed.iter_mut().skip(at).take(4).for_each(|byte| *byte = 0xFF),
            _ => changed.extend(random.bytes(at)),
        }
        all.push(changed);
    }
    all
}

fn frames() -> Vec<Vec<u8>> {
    let mut random = Random(1);
    let vectors = load("frames.json").into_iter().chain(load("rejects.json"));
    let mut all: Vec<_> = vectors
        .flat_map(|vector| with_changes(&unhex(field(&vector, "hex")), &mut random))
        .collect();
    for size in 0..2_000 {
        all.push(random.bytes(size));
        // A good header, so that more than the length is reached.
        let mut framed = u32::try_from(size + 1).unwrap().to_be_bytes().to_vec();
        framed.push([1, 2, 3, 4, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x80][size % 11]);
        framed.extend(random.bytes(size));
        all.push(framed);
    }
    all
}

fn live() -> (ClientLink, NodeLink) {
    let (id, secret) = (SessionId([1; 16]), Secret([2; 32]));
    let node = NodeLink::new(Arc::new(LinkConfig::default()), id, secret, NOW, 1);
    (ClientLink::new(client_config()), node)
}

fn client_config() -> ClientConfig {
    ClientConfig::new(vec!["home:7778".to_owned()], "test", b"ann", 1)
}

fn greet(client: &mut ClientLink, node: &mut NodeLink) {
    client.connect(NOW);
    client.poll_dial().unwrap();
    client.handle_connected();
    let mut welcome = Vec::new();
    node.poll_transmit(NOW, 1, &mut welcome, usize::MAX);
    let Ok(Split::Whole { kind, body, .. }) = split(&welcome, MAX_FRAME) else { panic!() };
    client.handle_frame(Frame::read(kind, body).unwrap(), NOW);
    assert!(client.is_live());
}

#[test]
fn p10_reading_a_frame_allocates_nothing() {
    let _alone = alone();
    for input in frames() {
        let region = Region::new(ALLOCATOR);
        if let Ok(Split::Whole { kind, body, .. }) = split(&input, MAX_FRAME) {
            let _ = std::hint::black_box(Frame::read(kind, body));
        }
        // The harness of the tests may allocate a little beside it; nothing of the input's size.
        let taken = region.change().bytes_allocated;
        assert!(taken <= 4_096, "{taken} bytes for {input:02x?}");
    }
}

#[test]
fn p9_a_frame_takes_no_more_than_its_size_of_either_side() {
    let _alone = alone();
    for input in frames() {
        let Ok(Split::Whole { kind, body, .. }) = split(&input, MAX_FRAME) else { continue };
        let Ok(frame) = Frame::read(kind, body) else { continue };
        let (mut client, mut node) = live();
        greet(&mut client, &mut node);
        for payload in [&b"one"[..], b"two"] {
            client.send(payload).unwrap();
            node.send(payload).unwrap();
        }
        let mut opening = ClientLink::new(client_config());
        opening.connect(NOW);
        opening.handle_connected();
        measure("a node", &input, || node.handle_frame(frame.clone(), NOW));
        measure("a client", &input, || client.handle_frame(frame.clone(), NOW));
        measure("a handshake", &input, || opening.handle_frame(frame.clone(), NOW));
        if let Frame::Resume(resume) = &frame {
            measure("a resume", &input, || node.handle_resume(resume, NOW, 1));
        }
    }
}

/// What both sides export, with so many retained messages of this size.
fn exports(count: usize, bytes: usize) -> [Vec<u8>; 2] {
    let (mut client, mut node) = live();
    greet(&mut client, &mut node);
    for _ in 0..count {
        // Up to the window of the client; the node retains more.
        let _ = client.send(&vec![7; bytes]);
        node.send(&vec![7; bytes]).unwrap();
    }
    [node.export(), client.export().unwrap()]
}

#[test]
fn p9_an_import_takes_no_more_than_its_size() {
    let _alone = alone();
    let mut random = Random(2);
    let sizes = [(0, 0), (1, 0), (1_000, 0), (1_000, 1), (200, 300), (40, 60_000)];
    let mut inputs: Vec<_> = sizes
        .into_iter()
        .flat_map(|(count, bytes)| exports(count, bytes))
        .flat_map(|export| with_changes(&export, &mut random))
        .collect();
    inputs.extend((0..3_000).map(|size| {
        let mut input = random.bytes(size);
        input.iter_mut().take(1).for_each(|version| *version = 1);
        input
    }));
    let config = Arc::new(LinkConfig::default());
    for input in inputs {
        measure("a node", &input, || drop(NodeLink::import(config.clone(), &input, NOW)));
        let config = client_config();
        measure("a client", &input, || drop(ClientLink::import(config, &input)));
    }
}
