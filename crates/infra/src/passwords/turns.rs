//! A bounded queue that clients take turns in.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// Nobody knows where those come from who have no address: together they are one client.
type Client = Option<IpAddr>;

/// What waits. The client whose turn it is gives one, in the order it came, and goes to the end.
pub(super) struct Turns<T> {
    clients: HashMap<Client, VecDeque<(u64, T)>>,
    /// Every client that has something waiting, once.
    order: VecDeque<Client>,
    len: u32,
    tickets: u64,
}

/// There is no room, and nobody has more places than the client would.
pub(super) struct Full;

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { clients: HashMap::new(), order: VecDeque::new(), len: 0, tickets: 0 }
    }
}

impl<T> Turns<T> {
    /// How many wait.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Whether the client can enter while so many may wait.
    pub(super) fn has_room(&self, client: Client, room: u32) -> bool {
        self.len < room || self.greedier_than(client).is_some()
    }

    /// Takes a place, and names it. When all are taken, the client that has most of them gives its last one up to
    /// whoever has at least two fewer; what waited there is dropped.
    pub(super) fn enter(&mut self, client: Client, what: T, room: u32) -> Result<u64, Full> {
        if self.len >= room {
            let greediest = self.greedier_than(client).ok_or(Full)?;
            if let Some((ticket, _)) = self.clients.get(&greediest).and_then(VecDeque::back) {
                drop(self.leave(greediest, *ticket));
            }
        }
        let places = self.clients.entry(client).or_default();
        if places.is_empty() {
            self.order.push_back(client);
        }
        self.tickets += 1;
        places.push_back((self.tickets, what));
        self.len += 1;
        Ok(self.tickets)
    }

    /// What is next.
    pub(super) fn next(&mut self) -> Option<T> {
        let client = self.order.pop_front()?;
        let places = self.clients.get_mut(&client)?;
        let (_, what) = places.pop_front()?;
        self.len -= 1;
        if places.is_empty() {
            self.clients.remove(&client);
        } else {
            self.order.push_back(client);
        }
        Some(what)
    }

    /// Gives a place up; nothing when it was called up already.
    pub(super) fn leave(&mut self, client: Client, ticket: u64) -> Option<T> {
        let places = self.clients.get_mut(&client)?;
        let at = places.iter().position(|(known, _)| *known == ticket)?;
        let (_, what) = places.remove(at)?;
        self.len -= 1;
        if places.is_empty() {
            self.clients.remove(&client);
            self.order.retain(|other| *other != client);
        }
        Some(what)
    }

    /// The client with most places, if those are at least two more than this one has.
    fn greedier_than(&self, client: Client) -> Option<Client> {
        let own = self.clients.get(&client).map_or(0, VecDeque::len);
        let (greediest, places) = self.clients.iter().max_by_key(|(_, places)| places.len())?;
        (places.len() > own + 1).then_some(*greediest)
    }
}
