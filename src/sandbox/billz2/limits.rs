//! The limit of requests per second and address (sheet 2).

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

/// Accepted requests of the last window, by client address. A refused one does not count.
#[derive(Debug, Default)]
pub struct Window {
    accepted: HashMap<IpAddr, VecDeque<Instant>>,
}

impl Window {
    /// Lets the request in, unless `limit` requests were let in within the `window` before it: any sliding window, no grace.
    pub fn admit(&mut self, ip: IpAddr, at: Instant, window: Duration, limit: u32) -> bool {
        let times = self.accepted.entry(ip).or_default();
        while times.front().is_some_and(|first| at.duration_since(*first) >= window) {
            times.pop_front();
        }
        if times.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return false;
        }
        times.push_back(at);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Instant, IpAddr, Window};

    #[test]
    fn the_window_slides_and_refused_requests_do_not_count() {
        let (mut window, start, second) = (Window::default(), Instant::now(), Duration::from_secs(1));
        let ip = IpAddr::from([127, 0, 0, 1]);
        let mut at = |ms| window.admit(ip, start + Duration::from_millis(ms), second, 2);
        assert!(at(0) && at(900));
        assert!(!at(950) && !at(999));
        assert!(at(1000), "the first left the window");
        assert!(!at(1899));
        assert!(at(1900));
        assert!(window.admit(IpAddr::from([127, 0, 0, 2]), start, second, 2), "another address has its own window");
    }
}
