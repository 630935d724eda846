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

#[cfg(test)]
mod tests {
    use super::super::table::KEYS;
    use super::*;

    /// What a key does while node 2 is selected.
    fn of(key: KeyCode, modifiers: KeyModifiers) -> Option<String> {
        let selected = Role::Node(2);
        Some(match of_key(key, modifiers)? {
            Happening::Do(command) => format!("{command:?}"),
            Happening::DoSelected(command) => format!("{:?}", command(selected)),
            Happening::Select(role) => format!("select {role}"),
            Happening::SelectNext(true) => "next".to_owned(),
            Happening::SelectNext(false) => "before".to_owned(),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn every_key_does_what_the_line_below_the_table_says() {
        let keys = [
            ('q', "q quits", "Quit"),
            ('d', "d drains", "Drain(Node(2))"),
            ('k', "k kills", "Kill(Node(2))"),
            ('x', "x stops", "Stop(Node(2))"),
            ('s', "s starts", "Start(Node(2))"),
            ('r', "r restarts all in turn", "Roll"),
        ];
        for (key, said, does) in keys {
            assert!(KEYS.contains(said), "{said} is missing in {KEYS}");
            let done = of(KeyCode::Char(key), KeyModifiers::NONE);
            assert_eq!(done.as_deref(), Some(does), "{key}");
        }
        assert!(KEYS.contains("1-9 select"), "{KEYS}");
        for digit in '1'..='9' {
            let selected = of(KeyCode::Char(digit), KeyModifiers::NONE);
            assert_eq!(selected, Some(format!("select n{digit}")));
        }
        // Nothing is said that no key does.
        assert_eq!(KEYS.split(", ").count(), keys.len() + 1, "{KEYS}");
    }

    #[test]
    fn ctrl_c_quits_arrows_select_and_other_keys_do_nothing() {
        let none = KeyModifiers::NONE;
        let quit = of(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(quit.as_deref(), Some("Quit"));
        assert_eq!(of(KeyCode::Down, none).as_deref(), Some("next"));
        assert_eq!(of(KeyCode::Up, none).as_deref(), Some("before"));
        assert_eq!(of(KeyCode::Char('h'), none).as_deref(), Some("select hub"));
        assert_eq!(of(KeyCode::Char('b'), none).as_deref(), Some("select balancer"));
        for key in ['c', '0', 'n', 'Q', ' '].map(KeyCode::Char).into_iter().chain([KeyCode::Esc]) {
            assert_eq!(of(key, none), None, "{key:?}");
        }
    }
}
