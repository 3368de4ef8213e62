//! The currencies of ISO 4217. The table is too long for a rule of the kinds.

/// List one of ISO 4217 as of 2026, sorted: what is in use, funds, metals and the codes without a currency included.
const ACTIVE: &str = "\
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND \
    BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY \
    COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP \
    GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD \
    IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP \
    LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN \
    MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN \
    PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD \
    SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX \
    USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA \
    XBB XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR \
    ZMW ZWG";

/// Whether `code` is one of them.
fn is_active(code: &str) -> bool {
    code.len() == 3 && ACTIVE.split(' ').any(|active| active == code)
}

/// What is wrong with a code that is none, and the fix; nothing where it is one.
pub(crate) fn problem(code: &str) -> Option<String> {
    (!is_active(code)).then(|| {
        format!("{code:?} is no currency that ISO 4217 has in use: write its code of three capital letters, such as EUR")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_in_use_are_known_and_others_are_not() {
        for code in ["EUR", "USD", "JPY", "XCG", "ZWG", "AED"] {
            assert!(is_active(code), "{code}");
        }
        for code in ["ERO", "eur", "DEM", "HRK", "BGN", "EU", "EUR USD", " ", ""] {
            assert!(!is_active(code), "{code}");
        }
    }

    #[test]
    fn every_code_is_three_letters_and_stands_once_in_order() {
        let codes: Vec<_> = ACTIVE.split(' ').collect();
        assert!(codes.iter().all(|code| code.len() == 3), "{codes:?}");
        assert!(codes.is_sorted() && codes.windows(2).all(|pair| pair[0] != pair[1]), "{codes:?}");
    }

    #[test]
    fn a_wrong_code_is_told_with_what_to_write() {
        assert_eq!(problem("EUR"), None);
        assert!(problem("ERO").unwrap().starts_with("\"ERO\" is no currency"));
    }
}
