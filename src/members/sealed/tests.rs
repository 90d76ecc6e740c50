//! What is sealed opens for its own row and column alone, whatever becomes of the file of keys.

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("sealed-{}", crate::id::new_secret().unwrap()));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn keys(&self) -> Keys {
        Keys::of(None, self.0.join("some.db").to_str())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const ROW: Uuid = Uuid::from_u128(7);

#[test]
fn a_sealed_phone_opens_again_also_for_a_process_that_starts_later() {
    let folder = Folder::new();
    let sealed = folder.keys().seal(Sealed::HouseholdPhone, ROW, "13812345678").unwrap();
    assert!(sealed.starts_with("v2:aes256gcm:k1:") && !sealed.contains("13812345678"));
    assert_eq!(folder.keys().open(Sealed::HouseholdPhone, ROW, &sealed).unwrap(), "13812345678");
    let again = folder.keys().seal(Sealed::HouseholdPhone, ROW, "13812345678").unwrap();
    assert_ne!(sealed, again, "two seals of one text must not look alike");
}

#[test]
fn a_seal_moved_to_another_row_or_column_or_changed_does_not_open() {
    let folder = Folder::new();
    let keys = folder.keys();
    let sealed = keys.seal(Sealed::HouseholdPhone, ROW, "13812345678").unwrap();
    assert!(keys.open(Sealed::HouseholdPhone, Uuid::from_u128(8), &sealed).is_err());
    assert!(keys.open(Sealed::HouseholdBankAccount, ROW, &sealed).is_err());
    let flipped = if sealed.ends_with('0') { '1' } else { '0' };
    let changed = format!("{}{flipped}", &sealed[..sealed.len() - 1]);
    assert!(keys.open(Sealed::HouseholdPhone, ROW, &changed).is_err());
    for bad in ["", "13812345678", "v1:k1:", "v1:k1:00", "v1:k9:00112233", "v2:k1:00", "v3:aes256gcm:k1:00"] {
        assert!(keys.open(Sealed::HouseholdPhone, ROW, bad).is_err(), "{bad}");
    }
}

#[test]
fn after_a_new_key_is_added_old_seals_open_and_new_ones_use_it() {
    let folder = Folder::new();
    let old = folder.keys().seal(Sealed::HouseholdPhone, ROW, "13812345678").unwrap();
    let file = folder.0.join("zhuxiao.keys");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}k2={}\n", "ab".repeat(32))).unwrap();
    let keys = folder.keys();
    assert_eq!(keys.open(Sealed::HouseholdPhone, ROW, &old).unwrap(), "13812345678");
    assert!(keys.seal(Sealed::HouseholdPhone, ROW, "1").unwrap().starts_with("v2:aes256gcm:k2:"));
}

#[cfg(unix)]
#[test]
fn only_its_owner_reads_the_file_that_is_made() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    folder.keys().seal(Sealed::HouseholdPhone, ROW, "1").unwrap();
    let mode = std::fs::metadata(folder.0.join("zhuxiao.keys")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1, "the draft is gone");
}

#[test]
fn without_a_file_nothing_is_sealed_and_a_named_file_is_never_made() {
    let folder = Folder::new();
    let named = folder.0.join("named.keys");
    for keys in [Keys::of(None, None), Keys::of(Some(&named), None)] {
        let refused = keys.seal(Sealed::HouseholdPhone, ROW, "1").unwrap_err();
        assert!(matches!(refused, Failure::Refused(Refusal::KeysMissing)));
    }
    assert!(!named.exists());
    std::fs::write(&named, "k1=short\n").unwrap();
    assert!(Keys::of(Some(&named), None).seal(Sealed::HouseholdPhone, ROW, "1").is_err());
}

#[test]
fn a_fingerprint_is_the_same_for_the_same_text_also_after_a_key_is_added_and_differs_by_what_it_is_of() {
    let folder = Folder::new();
    let account = "6228480402564890018";
    let made = folder.keys().fingerprint(Fingerprint::BankAccount, account).unwrap();
    assert_eq!(made.len(), 64);
    let file = folder.0.join("zhuxiao.keys");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}k2={}\n", "ab".repeat(32))).unwrap();
    assert_eq!(folder.keys().fingerprint(Fingerprint::BankAccount, account).unwrap(), made);
    assert_ne!(folder.keys().fingerprint(Fingerprint::StatementLine, account).unwrap(), made);
    assert_ne!(Folder::new().keys().fingerprint(Fingerprint::BankAccount, account).unwrap(), made);
}

#[test]
fn debug_shows_no_key() {
    let folder = Folder::new();
    let keys = folder.keys();
    keys.seal(Sealed::HouseholdPhone, ROW, "1").unwrap();
    let text = std::fs::read_to_string(folder.0.join("zhuxiao.keys")).unwrap();
    let key = text.trim().split_once('=').unwrap().1;
    assert!(!format!("{keys:?}").contains(key));
}

#[test]
fn a_text_sealed_before_algorithms_were_named_opens_and_an_unknown_algorithm_is_refused_by_name() {
    let folder = Folder::new();
    let keys = folder.keys();
    let sealed = keys.seal(Sealed::HouseholdPhone, ROW, "13812345678").unwrap();
    let before = sealed.replace("v2:aes256gcm:", "v1:");
    assert_eq!(keys.open(Sealed::HouseholdPhone, ROW, &before).unwrap(), "13812345678");
    let other = sealed.replace("aes256gcm", "sm4gcm");
    let refused = keys.open(Sealed::HouseholdPhone, ROW, &other).unwrap_err().to_string();
    assert!(refused.contains("algorithm sm4gcm is not known"), "{refused}");
    let ring = Secret(format!("k1=sm4gcm:{}", "ab".repeat(16)));
    let refused = check_ring(&ring).unwrap_err();
    assert!(refused.contains("the algorithm sm4gcm of key k1") && !refused.contains("abab"), "{refused}");
}

#[test]
fn a_ring_of_the_environment_has_the_form_of_a_file_and_takes_no_new_key() {
    let text = Secret(format!("k1={},k2=aes256gcm:{}", "ab".repeat(32), "cd".repeat(32)));
    let keys = Keys::of_text(text.clone());
    let sealed = keys.seal(Sealed::HouseholdPhone, ROW, "13812345678").unwrap();
    assert!(sealed.starts_with("v2:aes256gcm:k2:"));
    assert_eq!(keys.open(Sealed::HouseholdPhone, ROW, &sealed).unwrap(), "13812345678");
    assert!(matches!(keys.add(), Err(Failure::Refused(Refusal::WrongState { .. }))));
    assert!(!format!("{keys:?}").contains("abab"));
    for bad in ["", "k1", "k1=ab", "=00"] {
        assert!(check_ring(&Secret(bad.to_owned())).is_err(), "{bad}");
    }
    let twice = Secret(format!("k1={0},k1={0}", "ab".repeat(32)));
    assert!(check_ring(&twice).unwrap_err().contains("the same id"));
}

#[test]
fn a_key_that_is_added_seals_at_once_also_in_a_process_that_has_read_the_file_before() {
    let folder = Folder::new();
    let running = folder.keys();
    let old = running.seal(Sealed::HouseholdPhone, ROW, "13812345678").unwrap();
    assert_eq!(folder.keys().add().unwrap(), "k2");
    assert_eq!(folder.keys().add().unwrap(), "k3");
    let new = running.seal(Sealed::HouseholdPhone, ROW, "13812345678").unwrap();
    assert!(old.contains(":k1:") && new.contains(":k3:"), "{old} {new}");
    assert_eq!(running.open(Sealed::HouseholdPhone, ROW, &old).unwrap(), "13812345678");
}

#[test]
fn a_file_that_is_spoilt_or_gone_leaves_a_running_process_its_keys() {
    let folder = Folder::new();
    let (running, file) = (folder.keys(), folder.0.join("zhuxiao.keys"));
    let sealed = running.seal(Sealed::HouseholdPhone, ROW, "13812345678").unwrap();
    std::fs::write(&file, "nonsense\n").unwrap();
    assert_eq!(running.open(Sealed::HouseholdPhone, ROW, &sealed).unwrap(), "13812345678");
    assert!(folder.keys().seal(Sealed::HouseholdPhone, ROW, "1").is_err(), "a new process is refused");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(running.open(Sealed::HouseholdPhone, ROW, &sealed).unwrap(), "13812345678");
}

#[test]
fn two_that_add_at_once_add_two_keys_and_the_file_stays_its_owners() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    folder.keys().seal(Sealed::HouseholdPhone, ROW, "1").unwrap();
    let adding: Vec<_> = (0..4)
        .map(|_| {
            let keys = folder.keys();
            std::thread::spawn(move || keys.add().unwrap())
        })
        .collect();
    let mut added: Vec<String> = adding.into_iter().map(|thread| thread.join().unwrap()).collect();
    added.sort();
    assert_eq!(added, ["k2", "k3", "k4", "k5"]);
    let file = std::fs::metadata(folder.0.join("zhuxiao.keys")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1, "the drafts are gone");
}

#[test]
fn every_kind_has_a_place_of_its_own() {
    let places: std::collections::BTreeSet<String> =
        Sealed::ALL.map(|column| column.place().to_string()).into_iter().collect();
    assert_eq!(places.len(), Sealed::ALL.len());
}
