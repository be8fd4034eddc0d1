//! An SMT solver at the other end of a pipe.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What the solver says of a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Sat,
    Unsat,
    /// It gave up after its time
    Unknown,
}

/// A running solver. Questions are asked about one script at a time.
pub(crate) struct Solver {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Milliseconds for one question
    patience: u32,
    pub(crate) asked: u64,
}

/// The solver: `CALLPROOF_Z3`, or `z3` on the path; `None` when there is none that runs.
pub(crate) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("CALLPROOF_Z3").map_or_else(|| PathBuf::from("z3"), PathBuf::from);
    let version = Command::new(&path).arg("--version").output().ok()?;
    version.status.success().then_some(path)
}

impl Solver {
    pub(crate) fn start(path: &PathBuf, patience: u32) -> Self {
        let mut child = Command::new(path)
            .args(["-in", "-smt2"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut solver = Self {
            child,
            input,
            output: BufReader::new(output),
            patience,
            asked: 0,
        };
        solver.begin();
        solver.tell("(push 1)\n");
        solver
    }

    fn begin(&mut self) {
        let patience = self.patience;
        self.tell(&format!("(set-option :timeout {patience})\n(set-logic QF_BV)\n"));
    }

    fn tell(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).unwrap();
    }

    /// Forgets the script so far and takes another.
    pub(crate) fn load(&mut self, script: &str) {
        self.tell("(pop 1)\n(push 1)\n");
        self.tell(script);
    }

    /// Whether the formula can be true.
    pub(crate) fn ask(&mut self, formula: &str) -> Said {
        self.asked += 1;
        self.tell(&format!("(push 1)\n(assert {formula})\n(check-sat)\n(pop 1)\n"));
        self.listen(formula)
    }

    /// Whether the formula can be true with this script. Everything before is forgotten: the solver is faster at a
    /// large question when it knows that it is the only one.
    pub(crate) fn ask_alone(&mut self, script: &str, formula: &str) -> Said {
        self.tell("(reset)\n");
        self.begin();
        self.tell(script);
        self.tell(&format!("(assert {formula})\n(check-sat)\n"));
        self.listen(formula)
    }

    fn listen(&mut self, formula: &str) -> Said {
        self.input.flush().unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        match line.trim() {
            "sat" => Said::Sat,
            "unsat" => Said::Unsat,
            "unknown" | "timeout" => Said::Unknown,
            other => panic!("the solver says: {other}\nto: {formula}"),
        }
    }
}

impl Drop for Solver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
