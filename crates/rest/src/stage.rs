//! Sentences about what the herder is doing, in timeout and health messages (spec 4.3).

use std::time::{SystemTime, UNIX_EPOCH};

use milena_rest_model::Stage;

/// `The worker is currently …` or `The last operation the worker completed was …`, without a final period.
pub(crate) fn sentence(stage: &Stage) -> String {
    let (what, began) = (&stage.description, instant(stage.began));
    match stage.completed {
        None => format!("The worker is currently {what}, which began at {began}"),
        Some(at) => format!(
            "The last operation the worker completed was {what}, which began at {began} and completed at {}",
            instant(at)
        ),
    }
}

/// A point in time as Java's `Instant` prints it: three digits of a second, none when it is whole.
pub(crate) fn instant(at: SystemTime) -> String {
    let millis = at
        .duration_since(UNIX_EPOCH)
        .map(|since| since.as_millis())
        .unwrap_or_default();
    let (seconds, millis) = (
        i64::try_from(millis / 1000).unwrap_or_default(),
        millis % 1000,
    );
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let fraction = if millis == 0 {
        String::new()
    } else {
        format!(".{millis:03}")
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// The civil date of a day since 1970-01-01, counted in eras of 400 years that begin in March.
pub(crate) fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::instant;

    #[test]
    fn instants_print_as_java_prints_them() {
        let at = |millis| instant(UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(at(1_729_851_072_345), "2024-10-25T10:11:12.345Z");
        assert_eq!(at(951_782_400_000), "2000-02-29T00:00:00Z");
    }
}
