//! Our tables as diesel sees them. `tests/it` compares this with freshly run migrations.
#![allow(missing_docs, reason = "column names speak for themselves; the migrations hold the comments")]

use diesel::table;

table! {
    tradesync_connections (id) {
        id -> Text,
        flow -> Text,
        name -> Text,
        owner -> Nullable<Text>,
        enabled -> Bool,
        settings -> Text,
        secrets -> Text,
        link_space -> Text,
        version -> Unsigned<BigInt>,
        created_at -> Datetime,
        updated_at -> Datetime,
        deleted_at -> Nullable<Datetime>,
        source_system -> Text,
    }
}

table! {
    tradesync_streams (connection_id, stream) {
        connection_id -> Text,
        stream -> Text,
        name -> Text,
        enabled -> Bool,
        settings -> Text,
        sync_cursor -> Nullable<Datetime>,
        last_synced_at -> Nullable<Datetime>,
        last_whole_read_at -> Nullable<Datetime>,
        full_every_seconds -> Nullable<Unsigned<BigInt>>,
        last_run -> Nullable<Text>,
        version -> Unsigned<BigInt>,
    }
}

table! {
    tradesync_offered_streams (connection_id, stream) {
        connection_id -> Text,
        stream -> Text,
        name -> Text,
    }
}

table! {
    tradesync_link_spaces (id) {
        id -> Text,
        account -> Text,
    }
}

table! {
    tradesync_links (id) {
        id -> Unsigned<BigInt>,
        space -> Text,
        source_key -> Text,
        name -> Text,
        state -> Text,
        target_space -> Nullable<Text>,
        target_key -> Nullable<Text>,
        witness -> Nullable<Text>,
        candidates -> Text,
        origin -> Text,
        written -> Text,
        source_seen_at -> Nullable<Datetime>,
        run_id -> Nullable<Text>,
        updated_at -> Datetime,
        undone -> Nullable<Text>,
        linked_at -> Nullable<Datetime>,
    }
}

table! {
    tradesync_runs (id) {
        id -> Text,
        flow -> Text,
        connection_id -> Text,
        stream -> Text,
        owner -> Nullable<Text>,
        started_by -> Text,
        mode -> Text,
        dry_run -> Bool,
        items -> Nullable<Text>,
        state -> Text,
        phase -> Text,
        created_at -> Datetime,
        started_at -> Nullable<Datetime>,
        finished_at -> Nullable<Datetime>,
        not_before -> Nullable<Datetime>,
        read_rows -> Unsigned<BigInt>,
        total_rows -> Nullable<Unsigned<BigInt>>,
        applied_rows -> Unsigned<BigInt>,
        counts -> Text,
        cursor_before -> Nullable<Datetime>,
        cursor_after -> Nullable<Datetime>,
        read_summary -> Nullable<Text>,
        error -> Nullable<Text>,
        settings -> Nullable<Text>,
        cancel_requested -> Bool,
        version -> Unsigned<BigInt>,
        attempts -> Unsigned<Integer>,
        fence -> Unsigned<BigInt>,
        lease_holder -> Nullable<Text>,
        lease_until -> Nullable<Datetime>,
        live_stream -> Nullable<Text>,
        undo_of -> Nullable<Text>,
    }
}

table! {
    tradesync_queue (run_id) {
        run_id -> Text,
        waiting_since -> Datetime,
        setbacks -> Unsigned<Integer>,
        losses -> Unsigned<Integer>,
        lost_at -> Nullable<Text>,
    }
}

table! {
    tradesync_turns (party) {
        party -> Text,
        taken_at -> Datetime,
    }
}

table! {
    tradesync_leases (lease_key) {
        lease_key -> Text,
        holder -> Nullable<Text>,
        until -> Datetime,
        fence -> Unsigned<BigInt>,
    }
}

table! {
    tradesync_records (connection_id, source_key) {
        connection_id -> Text,
        source_key -> Text,
        name -> Text,
        payload -> Text,
        hash -> Text,
        source_changed_at -> Nullable<Datetime>,
        seen_at -> Datetime,
        read_id -> Text,
        gone_at -> Nullable<Datetime>,
        run_id -> Nullable<Text>,
    }
}

table! {
    tradesync_reads (id) {
        id -> Text,
        connection_id -> Text,
        since -> Nullable<Datetime>,
        summary -> Text,
        finished_at -> Datetime,
        plausible -> Bool,
    }
}

table! {
    tradesync_read_uses (read_id, stream) {
        read_id -> Text,
        stream -> Text,
    }
}

table! {
    tradesync_changes (id) {
        id -> Unsigned<BigInt>,
        run_id -> Text,
        source_key -> Text,
        name -> Text,
        target_key -> Nullable<Text>,
        witness -> Nullable<Text>,
        op -> Text,
        fields -> Text,
        reason -> Text,
        outcome -> Text,
        state -> Text,
        undo_rule -> Text,
        link_origin -> Nullable<Text>,
        source_seen_at -> Datetime,
        risks -> Unsigned<SmallInt>,
        held_reason -> Nullable<Text>,
        kept -> Nullable<Text>,
    }
}

table! {
    tradesync_plans (run_id) {
        run_id -> Text,
        connection_id -> Text,
        stream -> Text,
        decided_at -> Datetime,
        expires_at -> Nullable<Datetime>,
        approved_at -> Nullable<Datetime>,
        readings -> Text,
        told -> Nullable<Text>,
    }
}

table! {
    tradesync_events (id) {
        id -> Unsigned<BigInt>,
        kind -> Text,
        connection_id -> Text,
        stream -> Nullable<Text>,
        run_id -> Nullable<Text>,
        params -> Text,
        at -> Datetime,
    }
}

table! {
    tradesync_retries (id) {
        id -> Text,
        connection_id -> Text,
        stream -> Text,
        source_key -> Text,
        name -> Text,
        reason -> Text,
        code -> Text,
        class -> Text,
        by_rule -> Bool,
        attempts -> Unsigned<Integer>,
        first_run -> Text,
        last_run -> Text,
        first_at -> Datetime,
        last_at -> Datetime,
        source_hash -> Nullable<Text>,
        next_at -> Datetime,
        tried_run -> Nullable<Text>,
        dismissed_at -> Nullable<Datetime>,
    }
}

table! {
    tradesync_standing (connection_id, stream, source_key) {
        connection_id -> Text,
        stream -> Text,
        source_key -> Text,
        fingerprint -> Text,
        name -> Text,
        target_key -> Nullable<Text>,
        outcome -> Text,
        reason -> Text,
        fields -> Text,
        run_id -> Text,
        since -> Datetime,
    }
}

table! {
    tradesync_api_keys (id) {
        id -> Text,
        name -> Text,
        hash -> Text,
        role -> Text,
        flows -> Nullable<Text>,
        owner -> Nullable<Text>,
        delegate -> Bool,
        created_at -> Datetime,
        revoked_at -> Nullable<Datetime>,
    }
}

table! {
    tradesync_audit (id) {
        id -> Text,
        at -> Datetime,
        key_id -> Text,
        key_name -> Text,
        on_behalf_of -> Nullable<Text>,
        action -> Text,
        resource -> Text,
        flow -> Nullable<Text>,
        connection_id -> Nullable<Text>,
        owner -> Nullable<Text>,
        run_id -> Nullable<Text>,
        old_values -> Nullable<Text>,
        new_values -> Nullable<Text>,
        request_id -> Nullable<Text>,
    }
}

table! {
    tradesync_idempotency (scope) {
        scope -> Text,
        body_hash -> Text,
        status -> Unsigned<SmallInt>,
        location -> Nullable<Text>,
        body -> Text,
        created_at -> Datetime,
    }
}

table! {
    tradesync_versions (connection_id, document) {
        connection_id -> Text,
        document -> Text,
        version -> Unsigned<BigInt>,
    }
}

table! {
    tradesync_mappings (connection_id, kind, source_key) {
        connection_id -> Text,
        kind -> Text,
        source_key -> Text,
        source_name -> Text,
        target_key -> Text,
    }
}

table! {
    tradesync_group_trees (connection_id, kind) {
        connection_id -> Text,
        kind -> Text,
        groups -> Text,
        read_at -> Datetime,
    }
}

table! {
    tradesync_inbox (connection_id, kind, source_key, group_key) {
        connection_id -> Text,
        kind -> Text,
        source_key -> Text,
        group_key -> Text,
        group_name -> Text,
        group_parent -> Nullable<Text>,
    }
}

table! {
    tradesync_hooks (id) {
        id -> Unsigned<BigInt>,
        connection_id -> Text,
        stream -> Text,
        source_key -> Nullable<Text>,
        target_key -> Nullable<Text>,
        ask -> Text,
        received_at -> Datetime,
        fresh -> Bool,
        settled_at -> Nullable<Datetime>,
        outcome -> Nullable<Text>,
        run_id -> Nullable<Text>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(tradesync_hooks, tradesync_records);

table! {
    tradesync_locks (id) {
        id -> Unsigned<BigInt>,
        connection_id -> Text,
        source_key -> Nullable<Text>,
        target_key -> Nullable<Text>,
        fields -> Text,
        note -> Text,
        set_by -> Text,
        set_at -> Datetime,
    }
}

table! {
    tradesync_claims (target, kind, claim_key) {
        target -> Text,
        kind -> Text,
        claim_key -> Text,
        item -> Nullable<Text>,
        claimed_at -> Datetime,
    }
}

table! {
    tradesync_pictures (place, address_hash) {
        place -> Text,
        address_hash -> Text,
        address -> Text,
        content_hash -> Nullable<Text>,
        path -> Nullable<Text>,
        etag -> Nullable<Text>,
        last_modified -> Nullable<Text>,
        checked_at -> Nullable<Datetime>,
        reason -> Nullable<Text>,
        attempts -> Unsigned<Integer>,
        next_at -> Nullable<Datetime>,
    }
}

table! {
    tradesync_picture_wishes (space, source_key) {
        space -> Text,
        source_key -> Text,
        name -> Text,
        target_key -> Text,
        witness -> Nullable<Text>,
        addresses -> Text,
        ours -> Text,
        state -> Text,
        version -> Unsigned<BigInt>,
        next_at -> Nullable<Datetime>,
        change_id -> Nullable<Unsigned<BigInt>>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(tradesync_records, tradesync_links);
diesel::allow_tables_to_appear_in_same_query!(tradesync_picture_wishes, tradesync_changes);
diesel::allow_tables_to_appear_in_same_query!(tradesync_reads, tradesync_read_uses);
diesel::allow_tables_to_appear_in_same_query!(tradesync_runs, tradesync_changes);
diesel::allow_tables_to_appear_in_same_query!(tradesync_runs, tradesync_plans);

table! {
    tradesync_schedules (id) {
        id -> Text,
        connection_id -> Text,
        stream -> Text,
        rule -> Text,
        mode -> Text,
        enabled -> Bool,
        due_at -> Nullable<Datetime>,
        next_at -> Nullable<Datetime>,
        last_run -> Nullable<Text>,
        last_skip -> Nullable<Unsigned<BigInt>>,
        skipping -> Bool,
        version -> Unsigned<BigInt>,
        created_at -> Datetime,
        updated_at -> Datetime,
        deleted_at -> Nullable<Datetime>,
    }
}

table! {
    tradesync_schedule_skips (id) {
        id -> Unsigned<BigInt>,
        schedule_id -> Text,
        reason -> Text,
        first_due_at -> Datetime,
        last_due_at -> Datetime,
        due_times -> Unsigned<BigInt>,
    }
}

table! {
    tradesync_schedule_runs (run_id) {
        run_id -> Text,
        schedule_id -> Text,
        due_at -> Datetime,
    }
}

diesel::allow_tables_to_appear_in_same_query!(tradesync_schedules, tradesync_schedule_skips, tradesync_connections);
diesel::allow_tables_to_appear_in_same_query!(tradesync_schedules, tradesync_streams);
diesel::allow_tables_to_appear_in_same_query!(tradesync_schedule_runs, tradesync_runs);
diesel::allow_tables_to_appear_in_same_query!(tradesync_retries, tradesync_connections);
diesel::allow_tables_to_appear_in_same_query!(tradesync_connections, tradesync_streams);

table! {
    tradesync_stream_health (connection_id, stream) {
        connection_id -> Text,
        stream -> Text,
        failures -> Unsigned<Integer>,
        failing_since -> Nullable<Datetime>,
        failed_run -> Nullable<Text>,
        failed_error -> Nullable<Text>,
        last_success_at -> Nullable<Datetime>,
        watched_from -> Nullable<Datetime>,
    }
}

table! {
    tradesync_alert_settings (scope) {
        scope -> Text,
        flows -> Nullable<Text>,
        owner -> Nullable<Text>,
        settings -> Text,
        version -> Unsigned<BigInt>,
        updated_at -> Datetime,
    }
}

table! {
    tradesync_alert_conditions (id) {
        id -> Text,
        scope -> Text,
        rule -> Text,
        connection_id -> Text,
        stream -> Text,
        finding -> Text,
        seen_at -> Datetime,
        told_at -> Nullable<Datetime>,
        told_level -> Unsigned<BigInt>,
        told_times -> Unsigned<Integer>,
    }
}

table! {
    tradesync_alerts (id) {
        id -> Text,
        scope -> Text,
        news -> Text,
        body -> Text,
        at -> Datetime,
    }
}

table! {
    tradesync_alert_deliveries (alert_id, channel) {
        alert_id -> Text,
        channel -> Text,
        scope -> Text,
        state -> Text,
        attempts -> Unsigned<Integer>,
        next_at -> Nullable<Datetime>,
        trying -> Bool,
        made_at -> Datetime,
        failed_at -> Nullable<Datetime>,
        last_error -> Nullable<Text>,
        delivered_at -> Nullable<Datetime>,
    }
}
