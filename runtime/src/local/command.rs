//! What may be asked of a local cluster.

use super::role::Role;

/// An order of whoever watches the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Drain(Role),
    Kill(Role),
    Stop(Role),
    Start(Role),
    Roll,
    /// Prints how everything is.
    Status,
    Quit,
}

/// What a line may be.
pub(super) const USAGE: &str =
    "drain N, kill N, stop N, start N (N: a node's number, hub, balancer), roll, status, quit";

impl Command {
    /// Reads a line such as `kill 2`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (verb, of) = (words.next()?, words.next());
        let role = || Role::parse(of?);
        let command = match verb {
            "drain" => Self::Drain(role()?),
            "kill" => Self::Kill(role()?),
            "stop" => Self::Stop(role()?),
            "start" => Self::Start(role()?),
            "roll" if of.is_none() => Self::Roll,
            "status" if of.is_none() => Self::Status,
            "quit" if of.is_none() => Self::Quit,
            _ => return None,
        };
        words.next().is_none().then_some(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_command() {
        assert_eq!(Command::parse("drain 2"), Some(Command::Drain(Role::Node(2))));
        assert_eq!(Command::parse(" kill  n3 "), Some(Command::Kill(Role::Node(3))));
        assert_eq!(Command::parse("start hub"), Some(Command::Start(Role::Hub)));
        assert_eq!(Command::parse("quit"), Some(Command::Quit));
        for line in ["", "drain", "drain 0", "drain 10", "quit 1", "kill 1 2", "kil 1"] {
            assert_eq!(Command::parse(line), None, "{line}");
        }
    }
}
