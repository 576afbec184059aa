//! What is pasted into OneBox's automatic actions for a connection: the address, method and body that its settings make. Pure.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use url::{Url, form_urlencoded};

use super::{NAME, hook::PULL, settings::Settings};
use crate::{
    engine::page::{PageFacts, Recipe},
    fault::{Code, Fault},
};

/// OneBox's variable of its own id of the order (facts/onebox.md section 5.7).
const ORDER: &str = "{|$orderid|}";
/// Of the waybill number.
const TTN: &str = "{|$deliveryNote|}";
/// Of the comment.
const COMMENT: &str = "{|$comments|}";

/// Everything for the page. Without a hook token there is nothing to paste.
pub fn page(settings: &Settings, token: Option<&SecretString>) -> Result<PageFacts, Fault> {
    let all = serde_json::to_value(settings).map_err(|error| Fault::new(Code::Internal, "settings could not be shown").caused_by(error))?;
    let mapping = all.get("mapping").cloned().unwrap_or_default();
    let origin = Url::parse(&settings.onebox.base_url).ok().map(|url| url.origin()).filter(url::Origin::is_tuple);
    Ok(PageFacts {
        settings: all,
        mapping,
        mapping_name: "mapping",
        framed_by: origin.map(|origin| origin.ascii_serialization()),
        recipes: token.map(|token| recipes(settings, token)).unwrap_or_default(),
    })
}

/// A field's name as it stands in an address; a template stays as it is, since OneBox must find it.
fn pairs(fields: &[(&str, &str)]) -> String {
    let coded = |text: &str| {
        if text.starts_with("{|") { text.to_owned() } else { form_urlencoded::byte_serialize(text.as_bytes()).collect() }
    };
    fields.iter().map(|(name, value)| format!("{}={}", coded(name), coded(value))).collect::<Vec<_>>().join("&")
}

fn recipes(settings: &Settings, token: &SecretString) -> Vec<Recipe> {
    let post = format!("/sync/{NAME}/hooks/{}", form_urlencoded::byte_serialize(token.expose_secret().as_bytes()).collect::<String>());
    let recipe = |title: &'static str, name: Option<&str>, fields: &[(&str, &str)]| {
        let params: BTreeMap<String, String> = name.map(|name| ("name".to_owned(), name.to_owned())).into_iter().collect();
        let body = pairs(fields);
        Recipe { title, params, get: format!("{post}?{body}"), post: post.clone(), body }
    };
    let names = &settings.hook_fields;
    let order = (names.order.as_str(), ORDER);
    let mut all = Vec::new();
    if !settings.status_map.contains_key(PULL) {
        all.push(recipe("page_recipe_pull", None, &[(&names.action, PULL)]));
    }
    all.push(recipe("page_recipe_ttn", None, &[order, (&names.ttn, TTN)]));
    for key in settings.status_map.keys() {
        all.push(match key.strip_prefix("stage:") {
            Some(stage) => recipe("page_recipe_stage", Some(stage), &[order, (&names.stage, stage)]),
            None => recipe("page_recipe_status", Some(key), &[order, (&names.action, key), (&names.ttn, TTN)]),
        });
    }
    all.push(recipe("page_recipe_comment", None, &[order, (&names.comment, COMMENT)]));
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{hook, settings::tests::settings},
        *,
    };
    use crate::engine::hooks::Given;

    fn token() -> SecretString {
        SecretString::from("first-token-of-hooks")
    }

    /// What a recipe says once OneBox has filled it in.
    fn filled(recipe: &Recipe) -> Given {
        let filled = recipe.body.replace(ORDER, "127901").replace(TTN, "20450000000000").replace(COMMENT, "%D0%87%D0%B4%D0%B5");
        form_urlencoded::parse(filled.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect()
    }

    #[test]
    fn every_recipe_is_a_hook_that_we_understand() {
        let settings = settings(json!({
            "status_map": {"ship": {"delivery": "ship", "order": "process"}, "stage:57": {"order": "complete"}},
            "hook_fields": {"order": "замовлення", "ttn": "n&p"},
        }));
        let page = page(&settings, Some(&token())).expect("a page");
        let titles: Vec<&str> = page.recipes.iter().map(|recipe| recipe.title).collect();
        assert_eq!(titles, ["page_recipe_pull", "page_recipe_ttn", "page_recipe_status", "page_recipe_stage", "page_recipe_comment"]);
        for recipe in &page.recipes {
            assert_eq!(
                (recipe.get.as_str(), recipe.post.as_str()),
                (format!("{}?{}", recipe.post, recipe.body).as_str(), "/sync/okliving-onebox/hooks/first-token-of-hooks")
            );
            let given = filled(recipe);
            if recipe.title == "page_recipe_pull" {
                assert!(hook::is_pull(&given, &settings));
                continue;
            }
            let heard = hook::hear(&given, &settings).expect("it names the order");
            assert!(heard.refused.is_none() && heard.target.as_deref() == Some("127901"), "{recipe:?}");
            let ask = hook::Ask::of(&heard.ask);
            match recipe.title {
                "page_recipe_ttn" => assert_eq!((ask.ttn.as_deref(), ask.action.as_deref()), (Some("20450000000000"), None)),
                "page_recipe_status" => assert_eq!(ask.action.as_deref(), Some("ship")),
                "page_recipe_stage" => assert_eq!(ask.action.as_deref(), Some("stage:57")),
                _ => assert_eq!(ask.comment.as_deref(), Some("Їде")),
            }
        }
    }

    #[test]
    fn the_box_and_nobody_else_may_frame_it_and_no_token_means_nothing_to_paste() {
        let settings = settings(json!({"onebox": {"base_url": "https://Box.example:8443/some/path"}}));
        let page = page(&settings, None).expect("a page");
        assert_eq!((page.framed_by.as_deref(), page.recipes.len()), (Some("https://box.example:8443"), 0));
        assert!(page.mapping.get("recipient.phone").is_some());
    }
}
