//! The outbox.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use denizen_domain::id::{ChallengeId, OneTimeTokenId};
use denizen_domain::mail::{DueMail, Mail, MailSubject, Wanted};
use denizen_domain::store::Store;
use denizen_domain::users::Locale;
use uuid::Uuid;

use crate::{Fixture, build};

/// How long a taken mail is held in these cases, in seconds.
const HELD_S: u32 = 100;

pub async fn a_mail_comes_back_as_it_was(f: Fixture) {
    let plain = build::mail(1);
    let full = Mail {
        subject: MailSubject::PasswordReset(OneTimeTokenId::from_uuid(Uuid::from_u128(7))),
        locale: Some(Locale::parse("zh-Hans").unwrap()),
        ..build::mail(2)
    };
    enqueue(&*f.store, &[&plain, &full]).await;
    let taken = take(&*f.store, 2, 9).await;
    let expected: Vec<_> = [plain, full].into_iter().map(|mail| due(mail, 1)).collect();
    assert_eq!(taken, expected);
}

pub async fn every_subject_comes_back(f: Fixture) {
    let token = OneTimeTokenId::from_uuid(Uuid::from_u128(1));
    let subjects = [
        MailSubject::PasswordReset(token),
        MailSubject::EmailVerification(token),
        MailSubject::EmailChange(token),
        MailSubject::Invitation(token),
        MailSubject::SignInLink(token),
        MailSubject::SignInCode(ChallengeId::from_uuid(Uuid::from_u128(2))),
        MailSubject::PasswordChanged,
        MailSubject::EmailChanged,
        MailSubject::SecondFactorAdded,
        MailSubject::SecondFactorRemoved,
        MailSubject::IdentityLinked,
        MailSubject::IdentityUnlinked,
        MailSubject::RecoveryCodesReplaced,
        MailSubject::DeletionScheduled,
        MailSubject::AccountExists,
        MailSubject::Wanted(Wanted::PasswordReset),
        MailSubject::Wanted(Wanted::EmailVerification),
        MailSubject::Wanted(Wanted::SignInLink),
    ];
    for (n, subject) in (1..).zip(subjects) {
        enqueue(&*f.store, &[&Mail { subject, ..build::mail(n) }]).await;
        let back = take(&*f.store, n, 9).await;
        assert_eq!(back.iter().map(|due| due.mail.as_ref().unwrap().subject).collect::<Vec<_>>(), [subject]);
    }
}

pub async fn what_is_due_longest_comes_first(f: Fixture) {
    assert!(!is_due(&*f.store, 9).await);
    let mails: Vec<_> = (1..=5).map(build::mail).collect();
    enqueue(&*f.store, &[&mails[3], &mails[0], &mails[4], &mails[2], &mails[1]]).await;
    assert!(!is_due(&*f.store, 0).await);
    assert!(is_due(&*f.store, 1).await, "due at the very moment");
    assert_eq!(ids(&take(&*f.store, 0, 9).await), []);
    assert_eq!(ids(&take(&*f.store, 4, 2).await), [mails[0].id, mails[1].id]);
    assert_eq!(ids(&take(&*f.store, 4, 9).await), [mails[2].id, mails[3].id]);
    assert_eq!(ids(&take(&*f.store, 4, 9).await), []);
    assert_eq!(ids(&take(&*f.store, 5, 9).await), [mails[4].id]);
}

pub async fn a_taken_mail_is_found_again(f: Fixture) {
    // Also when it has expired: whoever takes it decides what becomes of it.
    let mail = Mail { expires_at: build::moment(5), ..build::mail(1) };
    enqueue(&*f.store, &[&mail]).await;
    assert_eq!(take(&*f.store, 1, 9).await, [due(mail.clone(), 1)]);
    assert!(!is_due(&*f.store, HELD_S).await);
    assert_eq!(take(&*f.store, HELD_S, 9).await, []);
    assert!(is_due(&*f.store, HELD_S + 1).await);
    assert_eq!(take(&*f.store, HELD_S + 1, 9).await, [due(mail, 2)]);
}

pub async fn a_mail_is_taken_by_one(f: Fixture) {
    let mails: Vec<_> = (1..=60).map(build::mail).collect();
    enqueue(&*f.store, &mails.iter().collect::<Vec<_>>()).await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let store = f.store.clone();
            tokio::spawn(async move { take(&*store, 60, 4).await })
        })
        .collect();
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(ids(&task.await.unwrap()));
    }
    let count = taken.len();
    taken.sort_unstable_by_key(|id| id.as_uuid());
    taken.dedup();
    assert_eq!(taken.len(), count, "one was taken twice");
    // Whoever passed over what another one just took may have come away with less.
    taken.extend(ids(&take(&*f.store, 60, 60).await));
    assert_eq!(taken.len(), mails.len());
}

pub async fn a_mail_is_put_back_by_whoever_has_it(f: Fixture) {
    let mail = build::mail(1);
    enqueue(&*f.store, &[&mail]).await;
    take(&*f.store, 1, 9).await;
    let put_back = async |attempts, second| {
        let mut tx = f.store.write().await.unwrap();
        let is_done = tx.put_back_mail(mail.id, attempts, build::moment(second)).await.unwrap();
        tx.commit().await.unwrap();
        is_done
    };
    assert!(put_back(1, 7).await);
    assert_eq!(take(&*f.store, 6, 9).await, []);
    assert_eq!(take(&*f.store, 7, 9).await, [due(mail.clone(), 2)]);
    assert!(!put_back(1, 8).await, "another one has it now");
    assert_eq!(take(&*f.store, HELD_S, 9).await, []);
}

pub async fn a_mail_is_removed_once(f: Fixture) {
    let (mail, other) = (build::mail(1), build::mail(2));
    enqueue(&*f.store, &[&mail, &other]).await;
    for expected in [true, false] {
        let mut tx = f.store.write().await.unwrap();
        assert_eq!(tx.remove_mail(mail.id).await.unwrap(), expected);
        tx.commit().await.unwrap();
    }
    assert_eq!(ids(&take(&*f.store, 9, 9).await), [other.id]);
}

pub async fn only_a_commit_wakes(f: Fixture) {
    let mut tx = f.store.write().await.unwrap();
    tx.enqueue_mail(&build::mail(1)).await.unwrap();
    assert!(!is_woken(&*f.store));
    drop(tx);
    assert!(!is_woken(&*f.store), "what was rolled back is no mail");
    f.store.write().await.unwrap().commit().await.unwrap();
    assert!(!is_woken(&*f.store), "not every change is a mail");
    enqueue(&*f.store, &[&build::mail(1)]).await;
    assert!(is_woken(&*f.store), "also who waits only afterwards");
    assert!(!is_woken(&*f.store), "once");
}

/// Whether whoever waits for mail is woken at this moment.
fn is_woken(store: &dyn Store) -> bool {
    let waiting = pin!(store.mail_enqueued());
    waiting.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
}

fn due(mail: Mail, attempts: u32) -> DueMail {
    DueMail { id: mail.id, attempts, expires_at: mail.expires_at, mail: Some(mail) }
}

fn ids(taken: &[DueMail]) -> Vec<denizen_domain::id::MailId> {
    taken.iter().map(|due| due.id).collect()
}

async fn enqueue(store: &dyn Store, mails: &[&Mail]) {
    let mut tx = store.write().await.unwrap();
    for mail in mails {
        tx.enqueue_mail(mail).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn is_due(store: &dyn Store, second: u32) -> bool {
    store.read().await.unwrap().is_mail_due(build::moment(second)).await.unwrap()
}

async fn take(store: &dyn Store, second: u32, limit: u32) -> Vec<DueMail> {
    let now = build::moment(second);
    let mut tx = store.write().await.unwrap();
    let taken = tx.take_due_mail(now, now.plus_seconds(HELD_S), limit).await.unwrap();
    tx.commit().await.unwrap();
    taken
}
