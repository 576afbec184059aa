//! The offset of the shop's time zone, as PHP's `date('P')` gives it to the shop's own sessions (facts section 1).

use chrono::{DateTime, Utc};

/// `+05:00` for a number of seconds east of Greenwich.
pub(super) fn offset_text(seconds: i64) -> String {
    let minutes = seconds.abs() / 60;
    format!("{}{:02}:{:02}", if seconds < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
}

/// The offset at `now` by this host's zone files; `None` when they or the zone are not there.
pub(super) fn from_host(zone: &str, now: DateTime<Utc>) -> Option<i64> {
    if matches!(zone, "" | "UTC") {
        return Some(0);
    }
    let plain =
        zone.split('/').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte)));
    if !plain {
        return None;
    }
    std::fs::read(format!("/usr/share/zoneinfo/{zone}")).ok().and_then(|file| offset_at(&file, now.timestamp()))
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(four)).ok()
}

/// Reads TZif (RFC 8536), second block: the type in force after the last transition before `at`. What lies beyond the last
/// listed transition keeps its type; the zone files of Debian and Ubuntu list them up to 2037.
fn offset_at(file: &[u8], at: i64) -> Option<i64> {
    let counts = |header: &[u8]| -> Option<[usize; 6]> {
        (header.get(..4)? == b"TZif").then_some(())?;
        Some([number(header, 20)?, number(header, 24)?, number(header, 28)?, number(header, 32)?, number(header, 36)?, number(header, 40)?])
    };
    let [utc, standard, leaps, times, types, letters] = counts(file)?;
    let second = file.get(44 + times * 5 + types * 6 + letters + leaps * 8 + standard + utc..)?;
    let [_, _, _, times, types, _] = counts(second)?;
    let body = second.get(44..)?;
    let (moments, rest) = body.split_at_checked(times * 8)?;
    let (kinds, rest) = rest.split_at_checked(times)?;
    let infos = rest.get(..types * 6)?;
    let before =
        moments.chunks_exact(8).take_while(|eight| <[u8; 8]>::try_from(*eight).is_ok_and(|eight| i64::from_be_bytes(eight) <= at)).count();
    let kind = before.checked_sub(1).and_then(|last| kinds.get(last)).copied().map_or(0, usize::from);
    let four: [u8; 4] = infos.get(kind * 6..kind * 6 + 4)?.try_into().ok()?;
    Some(i64::from(i32::from_be_bytes(four)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn offsets_follow_the_zone_and_its_summer_time() {
        assert_eq!(from_host("", moment("2025-01-01T00:00:00Z")), Some(0));
        if std::path::Path::new("/usr/share/zoneinfo/Europe/Kiev").exists() {
            assert_eq!(from_host("Asia/Tashkent", moment("2025-01-01T00:00:00Z")).map(offset_text).as_deref(), Some("+05:00"));
            assert_eq!(from_host("Europe/Kiev", moment("2025-01-01T00:00:00Z")).map(offset_text).as_deref(), Some("+02:00"));
            assert_eq!(from_host("Europe/Kiev", moment("2025-07-01T00:00:00Z")).map(offset_text).as_deref(), Some("+03:00"));
            assert_eq!(from_host("America/St_Johns", moment("2025-01-01T00:00:00Z")).map(offset_text).as_deref(), Some("-03:30"));
        }
        assert_eq!(from_host("../../etc/passwd", moment("2025-01-01T00:00:00Z")), None);
        assert_eq!(from_host("Mars/Olympus", moment("2025-01-01T00:00:00Z")), None);
    }
}
