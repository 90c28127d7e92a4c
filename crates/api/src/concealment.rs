//! How long a sign-up takes whose answer does not tell whether the address was free: `signup.conceal_existing`.

use std::time::Duration;

use denizen_domain::ctx::Policy;
use tokio::time::{Sleep, sleep};

/// A concealed sign-up is answered no sooner than this after it came. A hash and the writes, which differ between a taken
/// and a free address, take far less.
const ANSWER_AFTER: Duration = Duration::from_millis(500);

/// The time until a sign-up that begins now may be answered; `None` if sign-ups are not concealed.
pub(crate) fn earliest_answer(policy: &Policy) -> Option<Sleep> {
    policy.is_sign_up_concealed().then(|| sleep(ANSWER_AFTER))
}
