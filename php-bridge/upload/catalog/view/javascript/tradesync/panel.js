/*
 * The seller's panel: choice of a Billz shop, synchronise, preview, schedule, reports, list of shops, held changes.
 * It stands wherever PHP writes <div class="tradesync-panel" data-tradesync="...">: product list, a page of its own, storefront.
 */
(function ($, window) {
    'use strict';

    var T = window.Tradesync;
    if (T.Panel) {
        return;
    }
    var h = T.h;
    var icon = T.icon;

    function Panel(root) {
        this.box = new T.Box(root);
        this.root = $(root).addClass('tradesync');
        this.message = h('div', {'aria-live': 'polite'});
        this.body = h('div.panel-body');
        this.root.empty().append(h('section.panel.panel-default', {'aria-label': this.box.t('panel_title')}, [
            h('div.panel-heading', {}, [h('h3.panel-title', {}, [icon('refresh'), ' ', this.box.t('panel_title')])]),
            this.body
        ]));
        this.body.append(this.box.spinner());
        this.load();
    }

    $.extend(Panel.prototype, {
        /** Which shops there are, and what to say if the panel cannot work yet. */
        load: function () {
            var panel = this;
            var box = this.box;
            return box.call('state').done(function (state) {
                panel.connections = $.grep(state.connections, function (connection) { return connection.enabled; });
                if (!state.connections.length || !panel.connections.length) {
                    panel.idle(state.connections.length ? 'not_enabled' : 'not_connected');
                    return;
                }
                panel.draw();
            }).fail(function (error) {
                panel.body.empty().append(panel.message);
                box.tell(panel.message, 'danger', error.text, error.detail);
                panel.body.append(box.button('default', 'refresh', box.t('button_again'), function () { return panel.load(); }));
            });
        },

        /** The buttons are there, cannot be pressed, and a sentence says who must do what. */
        idle: function (why) {
            var box = this.box;
            this.body.empty().append(
                h('div.alert.alert-info', {role: 'status'}, [icon('info-circle'), ' ', box.t(why)]),
                h('div.tradesync-actions', {}, $.map(['sync', 'schedule'], function (name) {
                    return [h('button.btn.btn-default', {type: 'button', disabled: true}, box.t('button_' + name)), ' '];
                }))
            );
        },

        shops: function () {
            var shops = [];
            $.each(this.connections, function (i, connection) {
                $.each(connection.shops, function (j, shop) {
                    shops.push({connection: connection.id, api: connection.api, stream: shop.stream, name: shop.name, enabled: shop.enabled,
                        last_synced_at: shop.last_synced_at});
                });
            });
            return shops;
        },

        /** The key under which the browser remembers the chosen shop. */
        remembered: function (value) {
            try {
                if (value !== undefined) {
                    window.localStorage.setItem('tradesync-shop', value);
                }
                return window.localStorage.getItem('tradesync-shop');
            } catch (blocked) {
                return null;
            }
        },

        draw: function () {
            var panel = this;
            var box = this.box;
            var shops = this.shops();
            var modify = box.config.modify;
            this.body.empty();
            if (!shops.length) {
                this.body.append(this.message, h('div.alert.alert-info', {role: 'status'}, [icon('info-circle'), ' ', box.t('no_shops')]));
                if (modify) {
                    this.body.append(box.button('primary', 'plus', box.t('button_shops'), function () { panel.shopList(); }, {'data-act': 'shops'}));
                }
                return;
            }
            var several = panel.connections.length > 1;
            this.choice = h('select.form-control', {id: T.uid('shop')}, $.map(shops, function (shop) {
                return h('option', {value: shop.connection + ' ' + shop.stream},
                    shop.name + (several ? ' (' + box.word('api_', shop.api) + ')' : '') + (shop.enabled ? '' : ' — ' + box.t('shop_off')));
            }));
            var before = this.remembered();
            if (before && $.grep(shops, function (shop) { return shop.connection + ' ' + shop.stream === before; }).length) {
                this.choice.val(before);
            }
            this.choice.on('change', function () {
                panel.remembered(panel.choice.val());
                panel.pick();
            });
            var act = function (look, sign, name, work) {
                return box.button(look, sign, box.t('button_' + name), work, {'data-act': name});
            };
            this.syncButton = act('primary', 'refresh', 'sync', function () { return panel.sync(false); });
            this.previewButton = act('default', 'eye', 'preview', function () { return panel.sync(true); });
            this.facts = h('dl.tradesync-facts');
            this.progress = h('div.tradesync-progress');
            this.notes = h('div.tradesync-notes');
            this.body.append(
                h('div.tradesync-bar', {}, [
                    h('div.tradesync-choice', {}, [h('label.control-label', {'for': this.choice.attr('id')}, box.t('shop')), this.choice]),
                    h('div.tradesync-actions', {}, [
                        modify ? this.syncButton : null, ' ', modify ? this.previewButton : null, ' ',
                        act('default', 'clock-o', 'schedule', function () { new T.Schedules(panel); }), ' ',
                        act('default', 'list-alt', 'reports', function () { panel.reports(); }), ' ',
                        modify ? act('default', 'building-o', 'shops', function () { panel.shopList(); }) : null
                    ])
                ]),
                this.facts, this.progress, this.notes, this.message
            );
            this.pick();
        },

        chosen: function () {
            var value = this.choice.val();
            var cut = value.indexOf(' ');
            return {connection: value.slice(0, cut), stream: value.slice(cut + 1)};
        },

        /** Shows the chosen shop: its dates, its last run, what waits. */
        pick: function () {
            var panel = this;
            var box = this.box;
            var asked = this.choice.val();
            return box.call('shop', this.chosen()).done(function (shop) {
                if (asked !== panel.choice.val()) {
                    return;
                }
                panel.shop = shop;
                panel.show();
                var live = $.grep(shop.runs, function (run) { return box.isLive(run); })[0];
                if (live && panel.following !== live.id) {
                    panel.follow(live);
                }
            }).fail(box.fail(this.message));
        },

        show: function () {
            var panel = this;
            var box = this.box;
            var shop = this.shop;
            var real = $.grep(shop.runs, function (run) { return !run.dry_run || run.approved_at; })[0];
            var running = $.grep(shop.schedules, function (schedule) { return schedule.enabled; })[0];
            var fact = function (term, what, name) {
                return [h('dt', {}, term), h('dd', {'data-fact': name}, what)];
            };
            this.facts.empty();
            var facts = [fact(box.t('last_synced'), box.when(shop.shop.last_synced_at), 'last-synced')];
            if (real) {
                facts.push(fact(box.t('last_run'), [box.stateOf(real), ' ', box.counts(real.counts), ' ',
                    h('button.btn.btn-link.btn-xs', {type: 'button', 'data-act': 'last-report', onclick: function () { panel.openReport(real); }}, box.t('button_report'))], 'last-run'));
            }
            facts.push(fact(box.t('schedule'), running
                ? running.text + (shop.shop.next_run_at ? ' — ' + box.t('next', {time: box.time(shop.shop.next_run_at)}) : '')
                : box.t('schedule_off'), 'schedule'));
            $.each(facts, function (i, pair) { panel.facts.append(pair); });

            this.notes.empty();
            var waiting = $.grep(shop.runs, function (run) { return run.state === 'awaiting_approval' && !run.dry_run; })[0];
            if (waiting) {
                this.notes.append(h('div.alert.alert-warning', {role: 'status'}, [
                    icon('hand-paper-o'), ' ', box.t('held_note', {count: box.number(waiting.counts.held)}), ' ',
                    h('button.btn.btn-warning.btn-sm', {type: 'button', 'data-act': 'held', onclick: function () { panel.openReport(waiting); }}, box.t('button_look'))
                ]));
            }
            if (shop.retry) {
                this.notes.append(h('div.alert.alert-info', {role: 'status'}, [
                    icon('repeat'), ' ', box.t('retry_note', {count: box.number(shop.retry)}), ' ',
                    h('button.btn.btn-default.btn-sm', {type: 'button', 'data-act': 'retry-list', onclick: function () { panel.retryList(); }}, box.t('button_look'))
                ]));
            }
            if (!shop.shop.enabled) {
                box.tell(this.message, 'warning', box.t('shop_off_note'));
            }
        },

        sync: function (dry) {
            var panel = this;
            var box = this.box;
            box.tell(this.message, 'info', '');
            return box.call('sync', $.extend(this.chosen(), {dry_run: dry, once: T.once()})).done(function (run) {
                panel.follow(run, dry);
            }).fail(function (error) {
                box.tell(panel.message, error.code === 'stream-busy' ? 'info' : 'danger', error.text, error.detail);
                if (error.run) {
                    panel.follow({id: error.run, state: 'running', phase: 'read', progress: {read: 0, total: null, applied: 0}, counts: {}});
                }
            });
        },

        /** The progress bar of a run; when it has ended, its result, or the plan's preview. */
        follow: function (run, preview) {
            var panel = this;
            var box = this.box;
            var bar = h('div.progress-bar.progress-bar-striped.active', {role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-label': box.t('progress')});
            var text = h('span.tradesync-progress-text', {'aria-live': 'polite'});
            var counts = h('span');
            var stop = box.config.modify ? box.button('link', 'stop', box.t('button_cancel'), function () {
                return box.call('cancel', {run: run.id, once: T.once()}).fail(box.fail(panel.message));
            }, {'data-act': 'cancel'}).addClass('btn-xs') : null;
            this.following = run.id;
            this.progress.empty().append(h('div.progress', {}, bar), h('p', {}, [text, ' ', counts, ' ', stop]));
            this.syncButton.prop('disabled', !preview);
            this.previewButton.prop('disabled', true);
            var draw = function (now) {
                var percent = box.percent(now);
                bar.css('width', percent + '%').attr('aria-valuenow', percent);
                var words = box.progressText(now);
                if (text.text() !== words) {
                    text.text(words);
                }
                counts.empty().append(box.counts(now.counts));
            };
            if (run.created_at) {
                draw(run);
            }
            return box.follow(run.id, draw).done(function (ended) {
                panel.done(ended, preview);
            }).fail(box.fail(this.message)).always(function () {
                panel.following = null;
                panel.progress.empty();
                panel.syncButton.prop('disabled', false);
                panel.previewButton.prop('disabled', false);
                panel.pick();
            });
        },

        done: function (run, preview) {
            var panel = this;
            var box = this.box;
            if (preview && run.state === 'awaiting_approval') {
                this.openReport(run);
                return;
            }
            var look = {succeeded: 'success', partial: 'warning', awaiting_approval: 'warning', failed: 'danger'}[run.state] || 'info';
            var sentence = run.error ? box.word('fault_', run.error.code.replace(/-/g, '_')) : '';
            if (run.error && sentence === run.error.code.replace(/-/g, '_')) {
                sentence = run.error.detail;
            }
            box.tell(this.message, look, box.t('done_' + run.state) + (sentence ? ' ' + sentence : ''), run.error ? run.error.detail : '');
            this.message.find('.alert').append(' ', box.counts(run.counts), ' ',
                h('button.btn.btn-link.btn-xs', {type: 'button', 'data-act': 'report', onclick: function () { panel.openReport(run); }}, box.t('button_report')));
        },

        openReport: function (run) {
            var panel = this;
            this.box.report(run, function () { panel.pick(); });
        },

        /** All runs of the chosen shop, newest first. */
        reports: function () {
            var panel = this;
            var box = this.box;
            var rows = h('div.list-group');
            var more = h('div.text-center');
            var of = this.chosen();
            box.dialog(box.t('title_reports', {shop: this.shop ? this.shop.shop.name : ''}), [rows, more], null, true).addClass('tradesync-reports');
            var load = function () {
                more.empty().append(box.spinner());
                return box.call('runs', of).done(function (page) {
                    rows.append($.map(page.items, function (run) { return panel.runLine(run); }));
                    of.cursor = page.next_cursor;
                    more.empty();
                    if (page.next_cursor) {
                        more.append(box.button('default', 'angle-down', box.t('button_more'), load));
                    } else if (!rows.children().length) {
                        more.append(h('p.text-muted', {}, box.t('no_runs')));
                    }
                }).fail(box.fail(more));
            };
            load();
        },

        runLine: function (run) {
            var panel = this;
            var box = this.box;
            return h('button.list-group-item.tradesync-run', {type: 'button', onclick: function () { panel.openReport(run); }}, [
                h('div', {}, [h('b', {}, box.time(run.created_at)), ' ', box.stateOf(run), ' ',
                    h('span.text-muted', {}, box.word('trigger_', run.trigger) + (run.dry_run ? ', ' + box.t('dry_run') : ''))]),
                box.counts(run.counts),
                run.error ? h('div.text-danger', {}, box.word('fault_', run.error.code.replace(/-/g, '_'))) : null
            ]);
        },

        /** «Список магазинов billz»: add, rename, remove, take over what Billz offers. */
        shopList: function () {
            new T.Shops(this);
        },

        /** Goods that failed and come back by themselves. */
        retryList: function () {
            var panel = this;
            var box = this.box;
            var rows = h('div.list-group');
            var message = h('div', {'aria-live': 'polite'});
            box.dialog(box.t('title_retry'), [h('p.text-muted', {}, box.t('retry_help')), message, rows], null, true);
            rows.append(box.spinner());
            box.call('retryList', this.chosen()).done(function (page) {
                rows.empty().append($.map(page.items, function (item) {
                    var line = h('div.list-group-item', {}, [
                        h('b', {}, item.name || item.key), ' ', h('span.text-muted', {}, box.t('retry_line', {attempts: item.attempts, time: box.time(item.next_at)})),
                        h('div', {}, item.reason.text)
                    ]);
                    if (box.config.modify) {
                        line.append(
                            box.button('default', 'repeat', box.t('button_retry'), function () {
                                return box.call('retry', {id: item.id, once: T.once()}).done(function (run) {
                                    line.remove();
                                    panel.follow(run);
                                }).fail(box.fail(message));
                            }).addClass('btn-xs'), ' ',
                            box.button('link', null, box.t('button_dismiss'), function () {
                                return box.call('dismiss', {id: item.id}).done(function () {
                                    line.remove();
                                    panel.pick();
                                }).fail(box.fail(message));
                            }).addClass('btn-xs')
                        );
                    }
                    return line;
                }));
            }).fail(box.fail(message));
        }
    });

    T.Panel = Panel;
    $(function () {
        $('.tradesync-panel').each(function () { new Panel(this); });
    });
}(window.jQuery, window));
