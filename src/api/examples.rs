//! Examples of the OpenAPI document, by operation. They can be sent as they stand once the ids named here stand for real ones.

use serde_json::{Value, json};

/// Stands for a connection's id.
pub const CONNECTION: &str = "019aa0b2c3d47e5f8a9b0c1d2e3f4a5a";
/// Stands for a schedule's id.
pub const SCHEDULE: &str = "019aa0b2c3d47e5f8a9b0c1d2e3f4a5c";
/// Stands for a run's id.
pub const RUN: &str = "019aa0b2c3d47e5f8a9b0c1d2e3f4a5b";
/// Stands for an item of the retry list.
pub const RETRY: &str = "019aa0b2c3d47e5f8a9b0c1d2e3f4a60";
/// Stands for the id of an undo.
pub const UNDO: &str = "019aa0b2c3d47e5f8a9b0c1d2e3f4a6c";
/// Stands for a Billz 2 shop.
pub const STREAM: &str = "b6d1c0d1-7f0e-4f0a-9a57-0a3f5c1e2d10";
/// Stands for a source item.
pub const SOURCE: &str = "5f7d3c1a-2b4e-4c6d-8e9f-001122334455";
/// Stands for a category of the source.
pub const CATEGORY: &str = "7c1e0b52-90d4-4f0f-8a64-3d2b5a9c7e11";
/// Stands for the id of a connection of `okliving-onebox`.
pub const ORDERS_CONNECTION: &str = "019aa0b2c3d47e5f8a9b0c1d2e3f4a70";
/// Stands for one of its hook tokens.
pub const HOOK_TOKEN: &str = "a-hook-token-of-the-connection";
/// Stands for a target item.
pub const TARGET: &str = "50";

/// Body of a request.
pub fn request(operation: &str) -> Option<Value> {
    Some(match operation {
        "create_connection" => json!({
            "flow": "billz-opencart",
            "name": "Shop of seller 42",
            "owner": "seller:42",
            "settings": {"api": "billz2", "unmapped_category": "default", "default_category_id": 20},
            "secrets": {"secret": "the secret key of Billz"},
        }),
        "patch_connection" => {
            json!({"name": "Shop of seller 42, new", "settings": {"stock_buffer": 1, "price_shop": null}, "secrets": {"secret": "set"}})
        }
        "create_stream" => json!({"stream": STREAM, "name": "Chilonzor"}),
        "patch_stream" => json!({"name": "Chilonzor 2", "cursor": null}),
        "put_brakes" => json!({
            "limits": {"prices_moved": {"share": "0.2", "by": "0.1"}, "price_jump": {"factor": "5"}, "new_products": {"on": false}},
            "streams": {STREAM: {"products_zeroed": {"share": "0.1", "from": 50}}},
        }),
        "set_link" => json!({"target": TARGET}),
        "confirm_link" => json!({"target": TARGET}),
        "replace_category_mappings" => json!({"items": [{"source": CATEGORY, "source_name": "Clothes / T-shirts", "target": "20"}]}),
        "replace_locks" => json!({"items": [
            {"source": SOURCE, "fields": ["price", "special"], "note": "price agreed with the seller"},
            {"target": TARGET, "note": "sold by us, not by the seller"},
            {"fields": ["name"]},
        ]}),
        "create_schedule" => json!({
            "connection": CONNECTION, "stream": STREAM, "every": "5m", "timezone": "Asia/Tashkent", "window": {"from": "09:00", "to": "21:00"},
            "days": [1, 2, 3, 4, 5, 6], "jitter": "30s", "mode": "incremental", "catch_up": "once",
        }),
        "patch_schedule" => json!({"cron": "0 3 * * *", "window": null, "mode": "full"}),
        "replace_alerts" => json!({
            "language": "uz", "timezone": "Asia/Tashkent", "rules": {"failures": {"in_row": 5}, "retry_list": {"on": false}},
            "channels": [
                {"id": "monitoring", "kind": "webhook", "language": "en", "url": "http://127.0.0.1:9/alerts", "secrets": {"secret": "whsec_ZXhhbXBsZSBzZWNyZXQgb2YgMjQgYnl0ZXM="}},
                {"id": "shop-owner", "kind": "telegram", "chat_id": "-1001234567890", "base_url": "http://127.0.0.1:9", "rules": ["failures", "held", "stale"],
                 "secrets": {"token": "123456789:example-token-of-the-bot"}},
                {"id": "office", "kind": "email", "on": false, "host": "127.0.0.1", "port": 9, "encryption": "none", "from": "tradesync@example.com", "to": ["owner@example.com"]},
            ],
        }),
        "test_alerts" => json!({"channel": "monitoring"}),
        "create_page_link" => json!({"days": 365, "may_change": false}),
        "post_hook" => json!({"orderid": "127901", "ttn": "20450000000000", "comment": "On its way"}),
        "test_mapping" => json!({
            "connection": ORDERS_CONNECTION,
            "raw": {
                "id": "100045871", "created_at": "2026-03-14 11:32:07", "recipient": {"last_name": "Тестова", "first_name": "Олена", "phone": "067 000 00 01"},
                "shipping": {"city": "Львів", "warehouse": "Відділення №12"}, "products": [{"id": "881", "name": "Плед", "price": "799.50", "quantity": 1}],
            },
            "mapping": {"recipient.phone": {"from": ["/recipient/phone", "/shipping/phone"]}},
        }),
        "start_sync" => json!({"connection": CONNECTION, "stream": STREAM, "mode": "incremental", "dry_run": true}),
        _ => return None,
    })
}

/// Body of the answer that went well.
pub fn response(operation: &str) -> Option<Value> {
    Some(match operation {
        "list_connections" => page(connection()),
        "create_connection" | "get_connection" | "patch_connection" => connection(),
        "check_connection" => {
            json!({"ok": true, "checks": [{"name": "billz.login", "ok": true, "detail": "logged in; the key ends in 30 days"}]})
        }
        "create_page_link" => json!({
            "url": "https://sync.example.com/pages/okliving-onebox?link=019aa0b2c3d47e5f8a9b0c1d2e3f4a70.1801526400.show.5f3a0c",
            "expires_at": "2027-02-01T09:00:00Z",
        }),
        "discover_streams" => json!({"items": [{"stream": STREAM, "name": "Chilonzor"}]}),
        "list_streams" => page(stream()),
        "create_stream" | "get_stream" | "patch_stream" => stream(),
        "get_brakes" | "put_brakes" => brakes(),
        "list_links" => page(link()),
        "set_link" | "confirm_link" => link(),
        "list_category_mappings" | "replace_category_mappings" => page(mapping()),
        "list_unmapped_categories" => page(json!({
            "source": CATEGORY, "source_name": "Clothes / T-shirts", "count": 12, "proposals": [{"target": "20", "name": "Clothes > T-shirts", "score": 1.0}],
        })),
        "list_locks" | "replace_locks" => page(json!({
            "source": SOURCE, "target": null, "fields": ["price", "special"], "note": "price agreed with the seller", "set_by": "seller:42 (bridge)",
            "set_at": "2026-02-01T09:03:00Z",
        })),
        "get_alerts" | "replace_alerts" => alerts(),
        "test_alerts" => json!({"ok": false, "channels": [
            {"channel": "monitoring", "kind": "webhook", "ok": false, "detail": "webhook POST alert: could not connect: Connection refused (os error 111)"},
        ]}),
        "start_sync" | "cancel_run" | "approve_run" | "reject_run" | "get_run" => run(),
        "get_hook" | "post_hook" => json!({"id": "17", "stored": true}),
        "test_mapping" => json!({
            "order": "100045871",
            "fields": [{
                "target": "recipient.phone", "value": "380670000001", "from": "/recipient/phone", "raw": "067 000 00 01", "transforms": ["phone_ua"], "fine": true,
                "notes": [],
            }],
            "lines": [{"id": "881", "sku": "", "name": "Плед", "quantity": "1", "price": "799.5"}],
            "recipient": "recipient",
            "problems": [{"field": "np.region", "code": "order_field_missing", "text": "The shop’s order has no “np.region”."}],
            "unusable": null,
            "onebox": [{"field": "clientphone", "value": "380670000001"}],
        }),
        "list_schedules" => page(schedule()),
        "create_schedule" | "get_schedule" | "patch_schedule" | "start_schedule" | "stop_schedule" => schedule(),
        "next_of_schedule" => json!({"items": ["2026-02-02T04:00:00Z", "2026-02-02T04:05:00Z", "2026-02-02T04:10:00Z"]}),
        "runs_of_schedule" => page(run()),
        "skips_of_schedule" => page(skip()),
        "undo_run" => undo(),
        "retry_item" | "retry_failed" => retry_run(),
        "list_standing" => page(json!({
            "key": SOURCE, "name": "T-shirt, white, M", "target": null, "outcome": "skipped",
            "reason": {"code": "no_price", "text": "The product has no price in the shop “Chilonzor”, so it is left as it is."}, "changes": [], "run": RUN,
            "since": "2026-02-01T09:05:09Z",
        })),
        "list_retries" => page(retry_item()),
        "list_audit" => page(json!({
            "id": "019aa0b2c3d47e5f8a9b0c1d2e3f4a5d", "at": "2026-02-01T10:00:00Z", "action": "connections.change", "resource": format!("/connections/{CONNECTION}"),
            "key": "019aa0b2c3d47e5f8a9b0c1d2e3f4a5e", "key_name": "bridge", "on_behalf_of": null, "flow": "billz-opencart", "connection": CONNECTION,
            "owner": "seller:42", "run": null, "before": {"settings": {"stock_buffer": 0}}, "after": {"settings": {"stock_buffer": 1}},
            "request": "019aa0b2-c3d4-7e5f-8a9b-0c1d2e3f4a5f",
        })),
        "dismiss_item" => {
            let mut dismissed = retry_item();
            if let Some(at) = dismissed.get_mut("dismissed_at") {
                *at = json!("2026-02-01T10:00:00Z");
            }
            dismissed
        }
        "list_runs" => page(run()),
        "list_items" => page(item()),
        "explain" => explanation(),
        "livez" | "readyz" => json!({"status": "ok"}),
        _ => return None,
    })
}

fn alerts() -> Value {
    json!({
        "tells_of": {"flows": null, "owner": null}, "language": "uz", "timezone": "Asia/Tashkent", "remind_after": "24h",
        "rules": {
            "failures": {"on": true, "in_row": 5}, "held": {"on": true}, "stale": {"on": true, "periods": 3, "patience": "2m"},
            "retry_list": {"on": false, "items": 50}, "skipped": {"on": true, "in_row": 10}, "attention": {"on": true}, "no_worker": {"on": true, "after": "5m"}, "recovery": {"on": true},
        },
        "channels": [{
            "id": "shop-owner", "kind": "telegram", "on": true, "language": null, "rules": ["failures", "held", "stale"], "url": null, "chat_id": "-1001234567890",
            "base_url": "https://api.telegram.org", "host": null, "port": null, "encryption": null, "username": null, "from": null, "to": null,
            "secrets": {"token": "set"},
            "delivery": {"waiting": 0, "last_delivered_at": "2026-02-01T09:06:02Z", "last_failed_at": null, "last_error": null},
        }],
        "standing": [{
            "rule": "failures", "text": "Synchronisation fails", "connection": CONNECTION, "stream": STREAM, "run": RUN, "since": "2026-02-01T08:50:00Z",
            "told_at": "2026-02-01T09:06:00Z", "told": 1,
        }],
    })
}

fn page(item: Value) -> Value {
    json!({"items": [item], "next_cursor": null})
}

fn connection() -> Value {
    json!({
        "id": CONNECTION, "flow": "billz-opencart", "name": "Shop of seller 42", "owner": "seller:42", "enabled": true,
        "settings": {"api": "billz2", "unmapped_category": "default", "default_category_id": 20}, "secrets": {"secret": "set"},
        "created_at": "2026-02-01T09:00:00Z", "updated_at": "2026-02-01T09:00:00Z",
    })
}

fn stream() -> Value {
    json!({
        "stream": STREAM, "name": "Chilonzor", "enabled": true, "settings": {}, "cursor": "2026-02-01T09:04:12Z", "last_synced_at": "2026-02-01T09:05:00Z",
        "last_whole_read_at": "2026-02-01T09:05:00Z", "last_run": RUN, "next_run_at": null,
    })
}

fn brakes() -> Value {
    json!({
        "limits": {
            "source_shrunk": {"on": true, "share": "0.3", "from": 20}, "products_zeroed": {"on": true, "share": "0.3", "from": 20},
            "currency_changed": {"on": true, "from": 1}, "price_jump": {"on": true, "factor": "5", "from": 1},
            "prices_moved": {"on": true, "share": "0.2", "from": 20, "by": "0.1"}, "new_products": {"on": false, "share": "0.5", "from": 100},
        },
        "first_run": {"new_products": {"on": false}},
        "streams": {STREAM: {"products_zeroed": {"share": "0.1", "from": 50}}},
        "readings": [{
            "stream": STREAM, "run": RUN, "at": "2026-02-01T09:05:03Z", "rule": "prices_moved", "count": 312, "of": 900, "percent": "34.7", "tripped": true,
        }],
    })
}

fn schedule() -> Value {
    json!({
        "id": SCHEDULE, "connection": CONNECTION, "stream": STREAM, "every": "5m", "cron": null, "timezone": "Asia/Tashkent", "days": [1, 2, 3, 4, 5, 6],
        "window": {"from": "09:00", "to": "21:00"}, "jitter": "30s", "mode": "incremental", "enabled": true, "catch_up": "once",
        "text": "every 5 minutes from 09:00 to 21:00, on Monday, Tuesday, Wednesday, Thursday, Friday, Saturday (Asia/Tashkent)",
        "next_run_at": "2026-02-02T04:00:11Z", "last_run": RUN, "last_skip": skip(), "created_at": "2026-02-01T09:00:00Z", "updated_at": "2026-02-01T09:00:00Z",
    })
}

fn skip() -> Value {
    json!({
        "reason": "schedule_overlap", "text": "The stream's run before had not ended yet, so no new one was started.",
        "first_due_at": "2026-02-01T09:05:00Z", "last_due_at": "2026-02-01T09:15:00Z", "count": 3,
    })
}

fn link() -> Value {
    json!({
        "source": SOURCE, "name": "T-shirt, white, M", "state": "linked", "target": TARGET, "candidates": [], "origin": "confirmed", "run": null,
        "updated_at": "2026-02-01T09:03:00Z",
    })
}

fn mapping() -> Value {
    json!({"source": CATEGORY, "source_name": "Clothes / T-shirts", "target": "20", "target_name": "Clothes > T-shirts", "inherited": false})
}

fn run() -> Value {
    json!({
        "id": RUN, "flow": "billz-opencart", "connection": CONNECTION, "stream": STREAM, "owner": "seller:42", "trigger": "manual", "mode": "incremental",
        "dry_run": false, "state": "succeeded", "phase": "done", "created_at": "2026-02-01T09:05:00Z", "started_at": "2026-02-01T09:05:00Z",
        "finished_at": "2026-02-01T09:05:09Z", "not_before": null, "progress": {"read": 412, "total": 412, "applied": 17},
        "counts": {"created": 2, "updated": 15, "unchanged": 390, "skipped": 5, "failed": 0, "held": 0},
        "pictures": {"fetched": 5, "failed": 0, "shown": 2, "waiting": 0}, "cursor_before": "2026-02-01T08:04:12Z",
        "cursor_after": "2026-02-01T09:04:12Z", "whole": true,
        "read": {"mode": "full", "reused": false, "started_at": "2026-02-01T09:05:01Z", "doubt": null, "changed": 17, "missed_by_delta": 3},
        "cancel_requested": false, "expires_at": null, "approved_at": null, "brakes": [], "target": {}, "error": null,
    })
}

fn undo() -> Value {
    let mut undo = run();
    let own = [("id", UNDO), ("undo_of", RUN), ("trigger", "undo"), ("state", "queued"), ("phase", "decide")];
    undo.as_object_mut().into_iter().for_each(|members| members.extend(own.map(|(name, value)| (name.to_owned(), json!(value)))));
    undo
}

fn retry_run() -> Value {
    let mut run = run();
    let queued = json!({
        "trigger": "retry", "state": "queued", "phase": "read", "items": [SOURCE], "started_at": null, "finished_at": null, "cursor_before": null,
        "cursor_after": null, "whole": null, "read": null, "progress": {"read": 0, "total": null, "applied": 0},
        "counts": {"created": 0, "updated": 0, "unchanged": 0, "skipped": 0, "failed": 0, "held": 0},
        "pictures": {"fetched": 0, "failed": 0, "shown": 0, "waiting": 0},
    });
    if let (Some(run), Value::Object(queued)) = (run.as_object_mut(), queued) {
        run.extend(queued);
    }
    run
}

fn retry_item() -> Value {
    json!({
        "id": RETRY, "flow": "billz-opencart", "connection": CONNECTION, "stream": STREAM, "owner": "seller:42", "key": SOURCE, "name": "T-shirt, white, M",
        "reason": {"code": "price_unreadable", "text": "The price “abc” in the shop “Chilonzor” cannot be read. Correct it in the source."},
        "class": "bad_item", "attempts": 3, "first_at": "2026-02-01T09:05:09Z", "last_at": "2026-02-01T09:09:01Z", "next_at": "2026-02-01T09:13:01Z",
        "run": RUN, "dismissed_at": null,
    })
}

fn item() -> Value {
    json!({
        "key": SOURCE, "name": "T-shirt, white, M", "target": TARGET, "outcome": "updated",
        "reason": {"code": "changed", "text": "The product's data has changed."},
        "changes": [{"field": "quantity", "old": 3, "new": 5, "rule": "stock_sum", "rule_text": "Sum of the stock of the shops (Chilonzor): 5."}],
    })
}

fn explanation() -> Value {
    let part = |name: &str| item().get(name).cloned().unwrap_or_default();
    let (changes, reason) = (part("changes"), part("reason"));
    json!({
        "connection": CONNECTION, "item": SOURCE,
        "answer": [
            {"code": "explain_seen", "text": "The source last showed the item at 2026-02-01T09:05:01Z."},
            {"code": "explain_linked", "text": "It is linked to the product 50."},
            {"code": "unchanged", "text": "Everything stands in the shop as it should: there is nothing to change."},
        ],
        "source": {
            "name": "T-shirt, white, M", "values": {"kind": "goods", "name": "T-shirt, white, M", "sku": "TST-1"}, "seen_at": "2026-02-01T09:05:01Z", "run": RUN,
            "changed_at": "2026-02-01T08:59:30Z", "gone_at": null,
        },
        "link": {
            "state": "linked", "target": TARGET, "candidates": [], "origin": "created", "linked_at": "2026-01-20T09:05:08Z", "linked_by": RUN,
            "written_by": RUN,
        },
        "target": {
            "state": "seen", "values": {"quantity": 5, "price": "89000", "status": true}, "error": null,
            "fields": [{
                "field": "quantity", "now": 5, "written": 5, "author": "us", "run": RUN, "at": "2026-02-01T09:05:00Z", "undone_by": null,
                "rule": {"code": "stock_sum", "text": "Sum of the stock of the shops (Chilonzor): 5."},
            }],
        },
        "decisions": [{
            "stream": STREAM, "name": "Chilonzor", "enabled": true, "outcome": "unchanged", "changes": [], "settings": {"update_fields": ["quantity", "price"]},
            "reason": {"code": "unchanged", "text": "Everything stands in the shop as it should: there is nothing to change."}, "error": null,
        }],
        "waiting": [],
        "hooks": [],
        "changes": [{
            "run": RUN, "stream": STREAM, "trigger": "schedule", "at": "2026-02-01T09:05:00Z", "state": "applied", "outcome": "updated", "reason": reason,
            "changes": changes,
        }],
    })
}
