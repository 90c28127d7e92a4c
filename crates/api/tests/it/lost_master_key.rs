//! The file of the master key is lost: the start says so and makes no other.

use crate::harness::{PASSWORD, on_both};
use crate::process::{Process, run_on};

on_both! {
    async fn a_lost_master_key_is_named_and_not_replaced(world: World) {
        let server = Process::start(&world, &[]).await;
        assert_eq!(server.sign_up("ada@example.com").await.unwrap().status(), 201);
        server.terminate().await;
        assert!(server.ended(std::time::Duration::from_secs(20)).await.success());

        let (key, kept) = (world.folder().join("master.key"), world.folder().join("kept.key"));
        std::fs::rename(&key, &kept).unwrap();
        for arguments in [&["serve"][..], &["users", "list"], &["users", "get", "ada@example.com"], &["users", "disable", "ada@example.com"]] {
            let done = run_on(&world, &[], arguments, "").await;
            if arguments == ["serve"] {
                let line = done.only_line(1);
                assert!(line.contains(&*key.to_string_lossy()) && line.contains("is missing"), "{line}");
            }
            assert!(!key.exists(), "{arguments:?} made a key: {done:?}");
        }
        let drafts = std::fs::read_dir(world.folder()).unwrap().map(|entry| entry.unwrap().file_name());
        let drafts: Vec<_> = drafts.filter(|name| name.to_string_lossy().starts_with(".master.key")).collect();
        assert_eq!(drafts, Vec::<std::ffi::OsString>::new(), "half a key is left");

        std::fs::rename(&kept, &key).unwrap();
        let server = Process::start(&world, &[]).await;
        assert!(server.token("ada@example.com", PASSWORD).await.is_some(), "nothing is lost");
    }
}
