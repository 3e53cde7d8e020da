//! Colour on a terminal, for lines that must not be overlooked. Output to a program is not
//! coloured.

use std::env;
use std::io::{self, IsTerminal};

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    /// Standard output is a terminal, and `NO_COLOR` is not set.
    Terminal,
    /// Colours are not used.
    Never,
}

impl Colour {
    /// Chooses by standard output and `NO_COLOR`.
    pub(super) fn of_output() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if io::stdout().is_terminal() && !unwanted { Self::Terminal } else { Self::Never }
    }

    /// Returns the text in red, if colours are used.
    pub(super) fn red(self, text: &str) -> String {
        match self {
            Self::Terminal => format!("\x1b[31m{text}\x1b[0m"),
            Self::Never => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_gets_colour() {
        assert_eq!(Colour::Terminal.red("late"), "\x1b[31mlate\x1b[0m");
        assert_eq!(Colour::Never.red("late"), "late");
    }
}
