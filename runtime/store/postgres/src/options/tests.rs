use super::*;

fn refused(address: &str) -> OptionsError {
    Options::of_address(address, "eu-1").unwrap_err()
}

#[test]
fn key_words_and_urls_name_the_same_database() {
    for address in [
        "postgres:host=db1,db2 port=5433 dbname=game user=ann",
        "postgres://ann@db1:5433,db2:5433/game",
        "postgresql://ann@db1:5433,db2:5433/game",
    ] {
        let options = Options::of_address(address, "eu-1").unwrap();
        assert_eq!(options.hosts(), "db1:5433, db2:5433", "{address}");
        for host in &options.hosts {
            assert_eq!(host.config.get_dbname(), Some("game"), "{address}");
            assert_eq!(host.config.get_user(), Some("ann"), "{address}");
        }
    }
}

#[test]
fn what_is_no_address_is_refused_and_shown_up_to_its_colon() {
    for address in [
        "",
        "host=db dbname=game",
        "sled:data",
        "postgresql:host=db",
        "postgres",
        "Postgres:host=db",
        "mysql://ann:secret@db/game",
        "password=secret host=[::1]",
    ] {
        let error = refused(address);
        assert!(matches!(error, OptionsError::NoAddress { .. }), "{address}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert!(refused("mysql://ann:secret@db/game").to_string().ends_with("found mysql:"));
    assert!(matches!(refused("postgres:dbname=game"), OptionsError::NoHost));
    assert!(matches!(refused("postgres:host=db hots=x"), OptionsError::Address { .. }));
}

#[test]
fn a_password_in_an_address_is_refused_and_not_repeated() {
    for address in [
        "postgres:host=db dbname=game user=ann password=secret",
        "postgres://ann:secret@db/game",
        "postgresql://ann@db/game?password=secret",
    ] {
        let error = refused(address);
        assert!(matches!(error, OptionsError::PasswordInAddress), "{address}: {error}");
        assert!(error.to_string().contains("file") && !error.to_string().contains("secret"));
    }
}

#[test]
fn a_password_is_set_for_all_hosts_and_never_shown() {
    let mut options = Options::of_address("postgres:host=a,b,c user=ann", "eu-1").unwrap();
    options.password("secret");
    assert_eq!(options.hosts.len(), 3);
    for host in &options.hosts {
        assert_eq!(host.config.get_password(), Some(&b"secret"[..]));
    }
    assert!(!format!("{options:?}").contains("secret"));
}
