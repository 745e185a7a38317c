// SPDX-License-Identifier: MPL-2.0
//! One message to the data channels of many sessions.
use crate::world::World;
use bytes::Bytes;
use rtc_payload::SessionId;
use rtc_session::{ChannelEvent, ChannelInit, ChannelKey, Command};

const KEY: ChannelKey = ChannelKey(1);

fn received(world: &World, session: SessionId) -> Vec<Bytes> {
    let events = world.seen(session).channels.iter();
    let data = |event: &ChannelEvent| match event {
        ChannelEvent::Message { data, .. } => Some(data.clone()),
        _ => None,
    };
    events.filter_map(data).collect()
}

fn sent(world: &World, session: SessionId) -> u64 {
    let events = world.seen(session).channels.iter();
    let sent = |event: &ChannelEvent| match event {
        ChannelEvent::Sent { sent, .. } => Some(*sent),
        _ => None,
    };
    events.filter_map(sent).max().unwrap_or_default()
}

#[test]
fn a_message_reaches_every_session_that_has_the_channel_and_a_slow_one_holds_back_none() {
    let mut world = World::new(5);
    let pairs: Vec<_> = (1..5).map(|machine| world.connect(0, machine)).collect();
    let [with @ .., (without, _)] = &pairs[..] else {
        panic!("four pairs");
    };
    for (sender, _) in with {
        world
            .handle(0)
            .command(*sender, Command::OpenChannel(ChannelInit::new(KEY, "all")));
    }
    let opened = |world: &World, session: &SessionId| !world.seen(*session).channels.is_empty();
    world.until("all have the channel", |world| {
        with.iter()
            .all(|(a, b)| opened(world, a) && opened(world, b))
    });
    let slow = with[0].1;
    world.handle(1).command(slow, Command::HoldMessages(true));
    let message = Bytes::from(vec![9; 100_000]);
    for _ in 0..100 {
        world.handle(0).message(KEY, message.clone(), false);
    }
    world.until("all but the slow one have the messages", |world| {
        with[1..]
            .iter()
            .all(|(_, receiver)| received(world, *receiver).len() == 100)
    });
    assert!(received(&world, slow).is_empty());
    assert!(sent(&world, with[0].0) < 8_000_000, "the slow one's wait");
    world.handle(1).command(slow, Command::HoldMessages(false));
    world.until("the slow one has them too", |world| {
        received(world, slow).len() == 100
    });
    assert!(received(&world, slow).iter().all(|data| *data == message));
    assert!(world.seen(*without).channels.is_empty());
}
