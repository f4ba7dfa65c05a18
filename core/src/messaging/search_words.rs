//! The words of a text as search sees them, and the tokens under which they are found.
//!
//! A text is brought into compatibility form (Unicode NFKC) and lower case. In Arabic the forms
//! of alef become one, as do hamza on its carriers and the carriers themselves, taa marbuta and
//! haa, alef maqsura and yaa; vowel signs, tatweel and the lone hamza go; Arabic-Indic digits
//! become the digits 0 to 9. What is neither letter nor digit parts words.
//!
//! A token is 64 bits of an HMAC of a word's beginning, of 3 to 6 letters, or of a whole word that
//! is shorter, under a key that follows from the conversation's. What is found by tokens is only
//! a candidate: the text is opened and looked at.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::crypto::{DataKey, keyed_hash};

/// The shortest beginning of a word that is found.
const SHORTEST: usize = 3;
/// The longest beginning that has a token of its own.
const LONGEST: usize = 6;

/// By what a message is found: 64 bits that say nothing without the conversation's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SearchToken(pub i64);

/// The words of a text, in order, as search compares them.
#[must_use]
pub fn normalised_words(text: &str) -> Vec<String> {
    let folded: String = text
        .nfkc()
        .flat_map(char::to_lowercase)
        .filter_map(fold)
        .collect();
    folded
        .split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What a character is compared as; `None` when it does not count.
fn fold(c: char) -> Option<char> {
    Some(match c {
        // Vowel signs, Quranic marks, tatweel, the lone hamza.
        '\u{0610}'..='\u{061A}'
        | '\u{064B}'..='\u{065F}'
        | '\u{0670}'
        | '\u{06D6}'..='\u{06DC}'
        | '\u{06DF}'..='\u{06E8}'
        | '\u{06EA}'..='\u{06ED}'
        | '\u{0640}'
        | '\u{0621}' => return None,
        // Signs that join or direct letters and are not seen.
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => return None,
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ؤ' => 'و',
        'ئ' | 'ى' | '\u{06CC}' => 'ي',
        'ة' => 'ه',
        '\u{06A9}' => 'ك',
        '\u{0660}'..='\u{0669}' => digit(c, 0x0660),
        '\u{06F0}'..='\u{06F9}' => digit(c, 0x06F0),
        other => other,
    })
}

fn digit(c: char, zero: u32) -> char {
    char::from_digit(u32::from(c).wrapping_sub(zero), 10).unwrap_or(c)
}

/// Makes the tokens of one conversation.
pub(crate) struct Tokens(zeroize::Zeroizing<[u8; 32]>);

impl Tokens {
    /// The tokens under a conversation's key.
    pub(crate) fn under(key: &DataKey) -> Self {
        Self(key.subkey("telemed/search"))
    }

    /// Everything under which a text is found.
    pub(crate) fn of_text(&self, text: &str) -> Vec<SearchToken> {
        let words: BTreeSet<String> = normalised_words(text).into_iter().collect();
        let mut beginnings = BTreeSet::new();
        for word in &words {
            let ends = word.char_indices().map(|(at, c)| at + c.len_utf8());
            let ends: Vec<usize> = ends.take(LONGEST).collect();
            if ends.len() < SHORTEST {
                beginnings.insert(word.as_str());
            } else {
                beginnings.extend(ends[SHORTEST - 1..].iter().map(|end| &word[..*end]));
            }
        }
        beginnings
            .into_iter()
            .map(|part| self.token(part))
            .collect()
    }

    /// The token under which a word of a query is looked for.
    pub(crate) fn of_word(&self, word: &str) -> SearchToken {
        let end = word
            .char_indices()
            .nth(LONGEST)
            .map_or(word.len(), |(at, _)| at);
        self.token(&word[..end])
    }

    fn token(&self, part: &str) -> SearchToken {
        let hash = keyed_hash(&self.0, &[part.as_bytes()]);
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hash[..8]);
        SearchToken(i64::from_be_bytes(bytes))
    }
}

/// Whether a text has every word of a query: whole, or at a word's beginning when the query's
/// word has 3 letters or more.
pub(crate) fn has_words(text: &str, query: &[String]) -> bool {
    let words = normalised_words(text);
    query.iter().all(|wanted| {
        if wanted.chars().count() < SHORTEST {
            words.contains(wanted)
        } else {
            words.iter().any(|word| word.starts_with(wanted.as_str()))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::DataKeyId;

    fn words(text: &str) -> String {
        normalised_words(text).join(" ")
    }

    #[test]
    fn arabic_is_compared_as_it_is_searched() {
        for (written, searched) in [
            ("مُستشفى", "مستشفي"),
            ("أحمد إبراهيم آدم ٱلله", "احمد ابراهيم ادم الله"),
            ("سؤال شيء بئر", "سوال شي بير"),
            ("حقنة", "حقنه"),
            ("مستـــشفى", "مستشفي"),
            ("١٢٣ ۴۵", "123 45"),
            ("ﻣﺴﺘﺸﻔﻰ", "مستشفي"),
            ("ألم،في الرأس؟", "الم في الراس"),
        ] {
            assert_eq!(words(written), searched, "{written}");
        }
    }

    #[test]
    fn english_is_compared_in_lower_case_and_compatibility_form() {
        assert_eq!(words("Head-ache, 38.5°C ﬁne"), "head ache 38 5 c fine");
        assert_eq!(words("Ｆｕｌｌ ½"), "full 1 2");
        assert_eq!(words(" <script> !? "), "script");
    }

    #[test]
    fn a_mark_stays_with_its_letter_where_it_makes_the_word() {
        assert_eq!(words("हिन्दी"), "हिन्दी");
    }

    #[test]
    fn words_and_their_beginnings_are_found() {
        let key = DataKey::new(DataKeyId::new(uuid::Uuid::nil()), [7; 32]);
        let tokens = Tokens::under(&key);
        let of_text = tokens.of_text("Hypertension is ok");
        let finds = |word: &str| of_text.contains(&tokens.of_word(word));
        for word in [
            "hyp",
            "hype",
            "hyper",
            "hypert",
            "hypertens",
            "hypertension",
            "is",
            "ok",
        ] {
            assert!(finds(word), "{word}");
        }
        for word in ["hy", "ypert", "i", "tension", "oka"] {
            assert!(!finds(word), "{word}");
        }
        // hyp, hype, hyper, hypert, is, ok
        assert_eq!(of_text.len(), 6);
        let other = Tokens::under(&DataKey::new(DataKeyId::new(uuid::Uuid::nil()), [8; 32]));
        assert_ne!(other.of_word("hyp"), tokens.of_word("hyp"));
    }

    #[test]
    fn a_candidate_is_looked_at() {
        let query = |text: &str| normalised_words(text);
        assert!(has_words("severe hypertension", &query("hypertens SEVERE")));
        assert!(!has_words("severe hypertonia", &query("hypertens")));
        assert!(has_words("he is", &query("is")));
        assert!(!has_words("island", &query("is")));
    }
}
