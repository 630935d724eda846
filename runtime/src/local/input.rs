//! Where orders come from: keys of a terminal, or lines.

use std::io::{self, BufRead, Read as _};

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::{command::Command, role::Role, supervisor::Happening};

/// The longest line read; a command has some twenty bytes.
const LINE_BYTES_MAX: u64 = 200;

/// Listens on a thread of its own, which ends with the process: a read of a terminal cannot be
/// interrupted.
pub(super) fn listen(keys: bool, happenings: &mpsc::Sender<Happening>) -> io::Result<()> {
    let happenings = happenings.clone();
    let listen = move || {
        // Either ends when nobody listens any more, or when there is nothing more to read: the
        // cluster then goes on without orders.
        let _ = if keys { read_keys(&happenings) } else { read_lines(&happenings) };
    };
    std::thread::Builder::new().name("input".to_owned()).spawn(listen)?;
    Ok(())
}

fn read_keys(happenings: &mpsc::Sender<Happening>) -> io::Result<()> {
    loop {
        let happening = match event::read()? {
            Event::Key(key) if key.kind == KeyEventKind::Press => of_key(key.code, key.modifiers),
            Event::Resize(..) => Some(Happening::Resized),
            _ => None,
        };
        if let Some(happening) = happening {
            happenings.blocking_send(happening).map_err(io::Error::other)?;
        }
    }
}

fn of_key(key: KeyCode, modifiers: KeyModifiers) -> Option<Happening> {
    let KeyCode::Char(key) = key else {
        return match key {
            KeyCode::Down => Some(Happening::SelectNext(true)),
            KeyCode::Up => Some(Happening::SelectNext(false)),
            _ => None,
        };
    };
    Some(match key {
        'c' if modifiers.contains(KeyModifiers::CONTROL) => Happening::Do(Command::Quit),
        'q' => Happening::Do(Command::Quit),
        'r' => Happening::Do(Command::Roll),
        'd' => Happening::DoSelected(Command::Drain),
        'k' => Happening::DoSelected(Command::Kill),
        'x' => Happening::DoSelected(Command::Stop),
        's' => Happening::DoSelected(Command::Start),
        'h' => Happening::Select(Role::Hub),
        'b' => Happening::Select(Role::Balancer),
        digit => Happening::Select(Role::parse(&digit.to_string())?),
    })
}

fn read_lines(happenings: &mpsc::Sender<Happening>) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
        if text.is_empty() {
            continue;
        }
        let happening = match Command::parse(&text) {
            Some(command) => Happening::Do(command),
            None => Happening::Misread(text),
        };
        happenings.blocking_send(happening).map_err(io::Error::other)?;
    }
}
