//! Lines to rules.

use callproof_abi::{Abi, X32_BIT};
use callproof_policy::predicate::Cond;
use callproof_policy::{Answer, Problem, Rule, Selector, Span};

use super::line::{Line, Says, Test};
use crate::policy::parts::{ENOUGH, call, otherwise, rule, test};

/// How many tests all rules have together.
const MOST: usize = 1 << 18;
/// How deep blocks may nest.
const DEEPEST: usize = 64;

/// A test on the path to a line, and whether it came out true there.
#[derive(Clone, Copy)]
struct Step {
    indent: usize,
    test: Test,
    holds: bool,
    span: Span,
}

/// The rules of all sections, and the action behind them.
pub(super) fn rules(lines: &[Line], problems: &mut Vec<Problem>) -> (Vec<Rule>, Option<Answer>) {
    let mut reader = Reader {
        path: Vec::new(),
        closed: None,
        named: None,
        abi: None,
        rules: Vec::new(),
        tests: 0,
        last: None,
        problems,
    };
    for (index, line) in lines.iter().enumerate() {
        if reader.problems.len() >= ENOUGH {
            break;
        }
        let ahead = lines.get(index.saturating_add(1)..).unwrap_or_default();
        if let Err(problem) = reader.line(line, ahead) {
            reader.problems.push(problem);
        }
    }
    (reader.rules, reader.last)
}

struct Reader<'r> {
    /// The tests around the line
    path: Vec<Step>,
    /// The `if` that has just ended and may have an `else`
    closed: Option<Step>,
    /// The name in the last comment
    named: Option<Abi>,
    /// The ABI of the section
    abi: Option<Abi>,
    rules: Vec<Rule>,
    /// Tests in the rules so far
    tests: usize,
    last: Option<Answer>,
    problems: &'r mut Vec<Problem>,
}

impl Reader<'_> {
    fn line(&mut self, line: &Line, ahead: &[Line]) -> Result<(), Problem> {
        if let Says::Arch(name) = &line.says {
            self.named = Abi::from_name(name).ok();
            return Ok(());
        }
        self.leave(line.indent);
        if self.path.len() >= DEEPEST {
            let message = format!("blocks are nested more than {DEEPEST} deep");
            return Err(Problem::new(message, line.span));
        }
        match &line.says {
            Says::If(test) => {
                if let Test::Arch(arch) = test {
                    self.abi = Some(self.section(*arch, line, ahead)?);
                }
                self.enter(line, *test, true);
            }
            Says::Else => {
                let Some(step) = self.closed.filter(|step| step.indent == line.indent) else {
                    let message = "`else` without its `if`";
                    return Err(
                        Problem::new(message, line.span).help("it stands right below the block of an `if`, as deep")
                    );
                };
                self.enter(line, step.test, false);
            }
            Says::Action(answer) => self.action(answer, line)?,
            Says::Arch(_) => {}
        }
        Ok(())
    }

    /// Ends the blocks that a line of this depth is not in.
    fn leave(&mut self, indent: usize) {
        self.closed = None;
        while let Some(step) = self.path.last().copied() {
            if step.indent < indent {
                return;
            }
            self.path.pop();
            self.closed = step.holds.then_some(step);
        }
    }

    fn enter(&mut self, line: &Line, test: Test, holds: bool) {
        self.path.push(Step {
            indent: line.indent,
            test,
            holds,
            span: line.span,
        });
    }

    /// The ABI of a section: by its comment, else by its number, and by its calls where x86_64 and x32 share one.
    fn section(&self, arch: u32, line: &Line, ahead: &[Line]) -> Result<Abi, Problem> {
        let named = self.named.filter(|abi| abi.audit_arch() == arch);
        let Some(by_number) = named.or_else(|| Abi::from_audit_arch(arch)) else {
            let message = format!("{arch} is the `arch` word of no known ABI");
            return Err(Problem::new(message, line.span));
        };
        let numbers = ahead
            .iter()
            .take_while(|line| !matches!(line.says, Says::If(Test::Arch(_))));
        let is_x32 = |line: &Line| matches!(line.says, Says::If(Test::Call(nr)) if nr & X32_BIT != 0 && nr != u32::MAX);
        let x32 = named.is_none() && by_number == Abi::X86_64 && numbers.into_iter().any(is_x32);
        Ok(if x32 { Abi::X32 } else { by_number })
    }

    fn action(&mut self, answer: &Answer, line: &Line) -> Result<(), Problem> {
        let Some((first, rest)) = self.path.split_first() else {
            return match self.last.replace(answer.clone()) {
                Some(_) => Err(Problem::new("a second action outside of all blocks", line.span)),
                None => Ok(()),
            };
        };
        let (Test::Arch(_), true, Some(abi)) = (first.test, first.holds, self.abi) else {
            let message = "an action that is in the section of no architecture";
            return Err(Problem::new(message, line.span).help("sections begin with `if ($arch == NUMBER)`"));
        };
        let Some((first, rest)) = rest.split_first() else {
            self.rules.push(otherwise(&[abi], answer.clone()));
            return Ok(());
        };
        let (Test::Call(number), true) = (first.test, first.holds) else {
            let message = "a test of arguments outside of all calls";
            return Err(Problem::new(message, first.span).help("it stands below `if ($syscall == NUMBER)`"));
        };
        self.tests = self.tests.saturating_add(rest.len());
        if self.tests > MOST {
            return Err(Problem::new(
                format!("the rules come to more than {MOST} tests"),
                line.span,
            ));
        }
        let mut conds = Vec::new();
        for step in rest {
            conds.push(cond(step)?);
        }
        let condition = if conds.len() > 1 {
            Some(Cond::All(conds))
        } else {
            conds.pop()
        };
        let pattern = call(Selector::Number(number), condition, line.span);
        self.rules.push(rule(pattern, &[abi], answer.clone()));
        Ok(())
    }
}

fn cond(step: &Step) -> Result<Cond, Problem> {
    let Test::Argument {
        index,
        view,
        mask,
        relation,
        value,
    } = step.test
    else {
        return Err(Problem::new(
            "a test of the architecture or the call inside of another",
            step.span,
        ));
    };
    let cond = test(index, view, mask.map(u64::from), relation, u64::from(value), step.span);
    Ok(if step.holds { cond } else { Cond::Not(Box::new(cond)) })
}
