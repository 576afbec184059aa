/*
 * The report of a run in a dialog: filters, old and new values, reasons, CSV; approve, reject, undo and retry where they make sense.
 */
(function ($, window) {
    'use strict';

    var T = window.Tradesync;
    if (T.Report) {
        return;
    }
    var h = T.h;
    var icon = T.icon;
    var once = T.once;
    var OUTCOMES = T.OUTCOMES;

    function Report(box, run, changed) {
        this.box = box;
        this.run = run;
        this.changed = changed;
        this.outcome = '';
        this.head = h('div');
        this.message = h('div', {'aria-live': 'polite'});
        this.filters = h('div.btn-group.tradesync-filters', {role: 'group', 'aria-label': box.t('filter')});
        this.rows = h('tbody');
        this.more = h('div.text-center');
        this.foot = h('div.tradesync-foot');
        var table = h('div.table-responsive', {}, [h('table.table.table-hover.tradesync-table', {}, [
            h('thead', {}, [h('tr', {}, $.map(['product', 'outcome', 'changes', 'reason'], function (column) {
                return h('th', {scope: 'col'}, box.t('column_' + column));
            }))]),
            this.rows
        ])]);
        this.dialog = box.dialog(
            '', [this.head, this.message, this.filters, table, this.more], [this.foot], true
        ).addClass('tradesync-report');
        this.show();
        this.load(true);
    }

    $.extend(Report.prototype, {
        show: function () {
            var report = this;
            var box = this.box;
            var run = this.run;
            this.dialog.find('.modal-title').first().text(box.t(run.dry_run && run.state === 'awaiting_approval' ? 'title_preview' : 'title_report'));
            var facts = [
                box.stateOf(run), ' ',
                h('span', {}, box.t('report_facts', {
                    mode: box.word('mode_', run.read ? run.read.mode : run.mode), trigger: box.word('trigger_', run.trigger),
                    started: box.time(run.started_at || run.created_at), finished: run.finished_at ? box.time(run.finished_at) : '…'
                }))
            ];
            this.head.empty().append(h('p', {}, facts), h('p.lead.tradesync-sum', {}, [box.counts(run.counts)]));
            if (run.whole === false) {
                this.head.append(h('p.text-warning', {}, [icon('exclamation-triangle'), ' ', box.t('not_whole')]));
            }
            $.each(run.brakes || [], function (i, brake) {
                report.head.append(h('div.alert.alert-warning', {}, [icon('hand-paper-o'), ' ', brake.text]));
            });
            if (run.expires_at && run.state === 'awaiting_approval') {
                this.head.append(h('p.text-muted', {}, box.t('expires', {time: box.time(run.expires_at)})));
            }
            box.explainRun(this.message, run);
            this.buttons();
            var total = 0;
            $.each(OUTCOMES, function (i, outcome) { total += run.counts[outcome]; });
            this.filters.empty().append($.map([''].concat(OUTCOMES), function (outcome) {
                var count = outcome === '' ? total : run.counts[outcome];
                if (outcome !== '' && !count) {
                    return null;
                }
                return h('button.btn.btn-default.btn-sm' + (outcome === report.outcome ? '.active' : ''), {
                    type: 'button', 'data-outcome': outcome, 'aria-pressed': outcome === report.outcome ? 'true' : 'false',
                    onclick: function () {
                        report.outcome = outcome;
                        report.show();
                        report.load(true);
                    }
                }, [(outcome === '' ? box.t('all') : box.t('outcome_' + outcome)) + ' ', h('span.badge', {}, box.number(count))]);
            }));
        },

        buttons: function () {
            var report = this;
            var box = this.box;
            var run = this.run;
            var act = function (action, look, sign, question) {
                return box.button(look, sign, box.t('button_' + action), function () {
                    var key = once();
                    var going = question ? box.ask(question, box.t('button_' + action), look) : $.Deferred().resolve();
                    return going.then(function () { return box.call(action, {run: run.id, once: key}); }).then(function (now) {
                        report.changed(now);
                        return report.watch(now);
                    }).fail(function (error) {
                        if (error.text) {
                            box.tell(report.message, 'danger', error.text, error.detail);
                        }
                    });
                }, {'data-act': action});
            };
            this.foot.empty().append(h('a.btn.btn-default.pull-left', {
                href: box.config.csv + '&run=' + encodeURIComponent(run.id) + '&outcome=' + this.outcome, download: 'tradesync-' + run.id + '.csv'
            }, [icon('download'), ' ', box.t('button_csv')]));
            if (!box.config.modify) {
                return;
            }
            if (run.state === 'awaiting_approval') {
                this.foot.append(act('reject', 'default', 'times'), ' ');
                if (run.counts.held > 0 || run.counts.created + run.counts.updated > 0) {
                    this.foot.append(act('approve', 'primary', 'check', run.dry_run ? null : box.t('approve_held')));
                }
            } else if (box.isLive(run)) {
                this.foot.append(act('cancel', 'default', 'stop'));
            } else {
                if (run.counts.failed > 0) {
                    this.foot.append(act('retryFailed', 'default', 'repeat'), ' ');
                }
                if (!run.dry_run || run.approved_at) {
                    if (run.counts.created + run.counts.updated > 0 && run.state !== 'cancelled') {
                        this.foot.append(act('undo', 'default', 'undo', box.t('undo_question')));
                    }
                }
            }
        },

        /** After approve, undo and the like: follow the run that does it, then show that one. */
        watch: function (run) {
            var report = this;
            return this.box.follow(run.id, function (now) {
                report.run = now;
                report.box.tell(report.message, 'info', report.box.progressText(now));
            }).done(function (ended) {
                report.outcome = '';
                report.message.empty();
                report.show();
                report.load(true);
                report.changed(ended);
            });
        },

        load: function (anew) {
            var report = this;
            var box = this.box;
            var asked = this.outcome;
            if (anew) {
                this.cursor = '';
                this.rows.empty();
                this.buttons();
            }
            this.more.empty().append(box.spinner());
            return box.call('items', {run: this.run.id, outcome: asked, cursor: this.cursor || ''}).done(function (page) {
                if (asked !== report.outcome) {
                    return;
                }
                report.rows.append($.map(page.items, function (item) { return report.row(item); }));
                report.cursor = page.next_cursor;
                report.more.empty();
                if (page.next_cursor) {
                    report.more.append(box.button('default', 'angle-down', box.t('button_more'), function () { return report.load(false); }));
                } else if (!report.rows.children().length) {
                    report.more.append(h('p.text-muted', {}, box.t(report.run.counts.unchanged ? 'report_unchanged' : 'report_empty')));
                }
            }).fail(box.fail(this.more));
        },

        row: function (item) {
            var report = this;
            var box = this.box;
            var changes = $.map(item.changes, function (change) {
                return h('div.tradesync-change', {title: change.rule_text}, [
                    h('span.text-muted', {}, box.word('field_', change.field) + ': '),
                    h('span.tradesync-old', {}, box.value(change.old)), ' → ', h('b', {}, box.value(change.new)),
                    change.rule_text ? h('div.tradesync-rule', {}, change.rule_text) : null
                ]);
            });
            var why = h('div');
            var ask = box.button('link', 'question-circle-o', box.t('button_why'), function () {
                return box.call('explain', {connection: report.run.connection, item: item.key}).done(function (sentences) {
                    why.empty().append(h('ul.tradesync-why', {}, $.map(sentences, function (sentence) { return h('li', {}, sentence); })));
                    ask.remove();
                }).fail(box.fail(why));
            }).addClass('btn-xs');
            return h('tr', {}, [
                h('td', {'data-label': box.t('column_product')}, [
                    h('div', {}, item.name || item.key),
                    h('small.text-muted', {}, item.target ? box.t('product_number', {id: item.target}) : item.key)
                ]),
                h('td', {'data-label': box.t('column_outcome')}, [box.badge('outcome_', item.outcome)]),
                h('td', {'data-label': box.t('column_changes')}, changes.length ? changes : '–'),
                h('td', {'data-label': box.t('column_reason')}, [h('div', {}, item.reason.text), why, box.config.explain === false ? null : ask])
            ]);
        }
    });

    T.Report = Report;
}(window.jQuery, window));
