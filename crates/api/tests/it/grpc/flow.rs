//! The log at the pace of what is acknowledged.

use denizen_proto::v1;
use tonic::Code;

use super::client::{Rpc, refused};
use super::followers::{Follow, Told, Watch, ack, all, end_of_log, ended, ids, import, message, rename, start};
use crate::harness::on_both;

on_both! {
    async fn no_more_than_the_window_is_under_way(app: TestApp, "events.heartbeat_s" = "1") {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let begin = end_of_log(&rpc).await;
        import(&app, &admin, 12).await;
        let (expected, _) = Watch::start(&rpc, &begin, &[]).await.unwrap().caught_up().await;
        assert!(expected.len() >= 12, "{expected:?}");

        let mut follow = Follow::start(&rpc, start(&begin, 3)).await.unwrap();
        let (mut told, caught_up) = follow.until_silent().await;
        assert_eq!((ids(&told), caught_up), (ids(&expected[..3]), false));
        assert_eq!(follow.until_silent().await, (vec![], false), "heartbeats go on");
        // Two of three: two more.
        follow.ack(&told[1].cursor, 0).await;
        told.extend(follow.until_silent().await.0);
        assert_eq!(ids(&told), ids(&expected[..5]));
        // The same again acknowledges nothing.
        follow.ack(&told[1].cursor, 0).await;
        follow.ack(&begin, 0).await;
        assert_eq!(follow.until_silent().await.0, []);
        // A smaller window holds from now on.
        follow.ack(&told[4].cursor, 1).await;
        told.extend(follow.until_silent().await.0);
        assert_eq!(ids(&told), ids(&expected[..6]));
        // A larger one alone lets more come.
        follow.ack("", 4).await;
        told.extend(follow.until_silent().await.0);
        assert_eq!(ids(&told), ids(&expected[..9]));
        follow.ack(&told[8].cursor, 1_000).await;
        let (rest, caught_up) = follow.until_silent().await;
        told.extend(rest);
        assert_eq!((ids(&told), caught_up), (ids(&expected), true));
        drop(follow);

        let mut again = Follow::start(&rpc, start(&told[8].cursor, 0)).await.unwrap();
        let (rest, caught_up) = again.until_silent().await;
        assert_eq!((ids(&rest), caught_up), (ids(&expected[9..]), true));
    }

    async fn a_client_that_says_no_more_is_done(app: TestApp) {
        let user = app.user().await;
        let rpc = Rpc::to(&app).by(&user.token);
        let Follow { say, mut stream } = Follow::start(&rpc, start("", 0)).await.unwrap();
        assert!(message(&mut stream).await.unwrap().is_some());
        drop(say);
        assert_eq!(message(&mut stream).await.unwrap(), None);
    }

    async fn what_does_not_belong_into_a_flow_ends_it(app: TestApp) {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let nothing = rpc.events().follow(tokio_stream::empty::<v1::FollowRequest>()).await;
        refused(nothing.map(|_| ()), Code::InvalidArgument, "invalid_input");
        let firsts = [v1::FollowRequest::default(), ack("", 1), start("", 1_001), start("", -1), start("forged", 0)];
        for first in firsts {
            refused(Follow::start(&rpc, first).await.map(|_| ()), Code::InvalidArgument, "invalid_input");
        }
        let begin = end_of_log(&rpc).await;
        let user = app.user().await;
        rename(&app, &user, "Ada").await;
        let later = all(&rpc).await.pop().unwrap().cursor;
        // A cursor that is good, but has not come on this stream, among others.
        for wrong in [ack(&later, 0), ack("forged", 0), ack("", 0), ack("", 1_001), start("", 0), v1::FollowRequest::default()] {
            let mut follow = Follow::start(&rpc, start(&begin, 1)).await.unwrap();
            assert!(matches!(follow.next().await.unwrap(), Told::Event(_)));
            follow.say.send(wrong).await.unwrap();
            let cursor = ended(follow.over().await, Code::InvalidArgument, "invalid_input");
            assert_eq!(cursor, begin, "nothing was acknowledged");
        }
        let mut follow = Follow::start(&rpc, start(&begin, 1)).await.unwrap();
        for _ in 0..100 {
            // The server may have had enough before.
            let _ = follow.say.send(ack(&begin, 0)).await;
        }
        ended(follow.over().await, Code::ResourceExhausted, "too_many_requests");
    }

    async fn who_lags_too_far_goes_on_from_the_cursor(app: TestApp, "events.queue" = "64") {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let begin = end_of_log(&rpc).await;
        let mut follow = Follow::start(&rpc, start("", 2)).await.unwrap();
        assert_eq!(follow.until_silent().await, (vec![], true));
        // Twice: what is in hand when the window moves on is still told.
        for _ in 0..2 {
            import(&app, &admin, 300).await;
        }
        let cursor = ended(follow.over().await, Code::ResourceExhausted, "too_slow");
        let (expected, _) = Watch::start(&rpc, &begin, &[]).await.unwrap().caught_up().await;
        let (told, _) = Watch::start(&rpc, &cursor, &[]).await.unwrap().caught_up().await;
        assert_eq!(ids(&told), ids(&expected), "nothing was acknowledged");
    }
}
