//! Rows of the application in the transaction of a use case.

use denizen::Builder;
use denizen::accounts::{Accounts, NewAccount};
use denizen::transaction::{SharedTransaction, TransactionError};
use denizen::types::{Conflict, Error, User};
use serde_json::Value;

use super::embed;
use crate::harness::{Db, PASSWORD, TestApp, World, on_both};

const CREATE: &str = "CREATE TABLE profiles (user_id TEXT PRIMARY KEY, plan TEXT NOT NULL)";
const INSERT: &str = "INSERT INTO profiles (user_id, plan) VALUES ($1, $2)";
const COUNT: &str = "SELECT count(*) FROM profiles";

/// An application with a table of its own in the database of the server.
struct Shop {
    app: TestApp,
    accounts: Accounts,
    db: Db,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Shop {
    async fn open(world: &World) -> Self {
        let build = async |builder: Builder| builder.build().await;
        let (app, denizen) = embed(world, "", build, |own, denizen| own.merge(denizen.router())).await;
        let db = if world.database.is_some() { Db::Postgres } else { Db::Sqlite };
        let shop = Self { app, accounts: denizen.accounts(), db };
        shop.on_own_connection(CREATE).await;
        shop
    }

    /// The number that a statement of the application returns, outside of Denizen.
    async fn on_own_connection(&self, statement: &'static str) -> i64 {
        let url = &self.app.world.database_url;
        let counts = statement == COUNT;
        match self.db {
            Db::Postgres => {
                let pool = sqlx::PgPool::connect(url).await.unwrap();
                if counts {
                    sqlx::query_scalar(statement).fetch_one(&pool).await.unwrap()
                } else {
                    run(&pool, statement).await
                }
            }
            Db::Sqlite => {
                let pool = sqlx::SqlitePool::connect(url).await.unwrap();
                if counts {
                    return sqlx::query_scalar(statement).fetch_one(&pool).await.unwrap();
                }
                sqlx::query(statement).execute(&pool).await.unwrap();
                0
            }
        }
    }

    async fn insert(&self, user: &User, plan: &str, tx: &mut SharedTransaction) -> Result<(), Failure> {
        let id = user.id.to_string();
        match self.db {
            Db::Postgres => {
                let insert = sqlx::query(INSERT).bind(id).bind(plan);
                insert.execute(tx.postgres().await?).await?;
            }
            Db::Sqlite => {
                tx.sqlite(|rows| rows.execute(INSERT, (id.as_str(), plan)))?;
            }
        }
        Ok(())
    }

    async fn sign_up(&self, email: &str, plan: &str) -> Result<User, TransactionError<Failure>> {
        let new = NewAccount::new(email, PASSWORD, "Ada").role("admin");
        let operation = async |accounts: Accounts| accounts.create_user(new).await;
        let work = async |user: &User, tx: &mut SharedTransaction| {
            self.insert(user, plan, tx).await?;
            if plan == "none" { Err("there is no such plan".into()) } else { Ok(()) }
        };
        self.accounts.transaction(operation, work).await
    }

    async fn profiles(&self) -> i64 {
        self.on_own_connection(COUNT).await
    }

    /// The types of the audit records about a user with this address.
    async fn audited(&self, token: &str, id: &str) -> usize {
        let audit: Vec<Value> = serde_json::from_value(self.app.json("/api/v1/audit?limit=200", token).await).unwrap();
        audit.iter().filter(|record| record["type"] == "user.created" && record.to_string().contains(id)).count()
    }
}

async fn run(pool: &sqlx::PgPool, statement: &'static str) -> i64 {
    sqlx::query(statement).execute(pool).await.unwrap();
    0
}

on_both! {
    async fn the_user_and_the_row_are_committed_together(world: World) {
        let shop = Shop::open(&world).await;
        let user = shop.sign_up("ada@example.com", "basic").await.unwrap();
        assert_eq!(shop.profiles().await, 1);
        let admin = shop.app.sign_in("ada@example.com").await;
        assert_eq!(shop.audited(&admin.token, &user.id.to_string()).await, 1);
        assert!(shop.app.token_to("ada@example.com", "verify-email").await.len() > 10, "the mail is sent");
        // The transaction can be spawned, as a handler of an application is.
        let accounts = shop.accounts.clone();
        let ended = tokio::spawn(async move {
            let end = async |accounts: Accounts| accounts.end_sessions(user.id).await;
            accounts.transaction(end, async |_, _| Ok::<_, Error>(())).await
        });
        assert_eq!(ended.await.unwrap().unwrap(), 1);
        assert_eq!(shop.app.me_status(&admin.token).await, 401);
    }

    async fn a_row_that_fails_rolls_the_user_back(world: World) {
        let shop = Shop::open(&world).await;
        shop.sign_up("root@example.com", "basic").await.unwrap();
        let refused = shop.sign_up("ada@example.com", "none").await.unwrap_err();
        assert!(matches!(&refused, TransactionError::Application(_)), "{refused:?}");
        let taken = shop.sign_up("root@example.com", "basic").await.unwrap_err();
        assert!(matches!(&taken, TransactionError::Denizen(Error::Conflict(Conflict::EmailTaken))), "{taken:?}");
        assert_eq!((shop.accounts.find_user_by_email("ada@example.com").await.unwrap(), shop.profiles().await), (None, 1));

        let admin = shop.app.sign_in("root@example.com").await;
        assert_eq!(shop.audited(&admin.token, "ada@example.com").await, 0, "no event remains");
        shop.app.all_is_sent().await;
        assert!(shop.app.letters_to("ada@example.com").is_empty(), "no mail remains");
        // Nothing is left behind that would disturb the next one.
        shop.sign_up("ada@example.com", "basic").await.unwrap();
        assert_eq!(shop.profiles().await, 2);
        assert_eq!(shop.app.try_sign_in("ada@example.com", PASSWORD).await.status(), 201);
    }

    async fn a_second_operation_is_refused(world: World) {
        let shop = Shop::open(&world).await;
        let both = async |accounts: Accounts| {
            accounts.create_user(NewAccount::new("ada@example.com", PASSWORD, "Ada")).await?;
            accounts.create_user(NewAccount::new("grace@example.com", PASSWORD, "Grace")).await
        };
        let error = shop.accounts.transaction(both, async |_, _| Ok::<_, Error>(())).await.unwrap_err();
        assert!(matches!(&error, TransactionError::Denizen(Error::Store(_))), "{error:?}");
        for email in ["ada@example.com", "grace@example.com"] {
            assert_eq!(shop.accounts.find_user_by_email(email).await.unwrap(), None, "{email}");
        }
        let nothing = async |accounts: Accounts| accounts.find_user_by_email("ada@example.com").await;
        let error = shop.accounts.transaction(nothing, async |_, _| Ok::<_, Error>(())).await.unwrap_err();
        assert!(matches!(error, TransactionError::NothingWritten), "{error:?}");
    }

    async fn a_transaction_that_the_application_ends_fails(world: World) {
        let shop = Shop::open(&world).await;
        let create = async |accounts: Accounts| accounts.create_user(NewAccount::new("ada@example.com", PASSWORD, "Ada")).await;
        let end = async |_: &User, tx: &mut SharedTransaction| {
            match shop.db {
                Db::Postgres => {
                    sqlx::query("ROLLBACK").execute(tx.postgres().await?).await?;
                }
                Db::Sqlite => tx.sqlite(|rows| rows.execute_batch("ROLLBACK"))?,
            }
            Ok::<_, Failure>(())
        };
        let ended = shop.accounts.transaction(create, end).await;
        match &ended {
            Err(TransactionError::Denizen(Error::Store(_))) if shop.db == Db::Postgres => {}
            Err(TransactionError::Application(_)) if shop.db == Db::Sqlite => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(shop.accounts.find_user_by_email("ada@example.com").await.unwrap(), None);
        shop.sign_up("ada@example.com", "basic").await.unwrap();
    }
}
