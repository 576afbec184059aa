/*
 * The administrator's pages: overview, sellers and one seller's form, retry list, roll-out. Which one stands in `page` of the configuration.
 * Category mapping and links are in matching.js.
 */
(function ($, window) {
    'use strict';

    var T = window.Tradesync;
    var h = T.h;
    var icon = T.icon;
    var pages = T.pages = T.pages || {};

    /** Runs work over all items, a few at a time, so that a page of a hundred sellers does not ask everything at once. */
    function each(items, width, work) {
        var done = $.Deferred();
        var next = 0;
        var busy = 0;
        (function go() {
            if (next >= items.length && busy === 0) {
                done.resolve();
            }
            while (busy < width && next < items.length) {
                busy += 1;
                work(items[next]).always(function () {
                    busy -= 1;
                    go();
                });
                next += 1;
            }
        }());
        return done.promise();
    }
    T.each = each;

    function table(box, columns, rows) {
        return h('div.table-responsive', {}, [h('table.table.table-hover.tradesync-table', {}, [
            h('thead', {}, [h('tr', {}, $.map(columns, function (column) { return h('th', {scope: 'col'}, column ? box.t('column_' + column) : ''); }))]), rows
        ])]);
    }
    T.table = table;

    function cell(box, column, content) {
        return h('td', {'data-label': column ? box.t('column_' + column) : null}, content);
    }
    T.cell = cell;

    /** Choice of a seller's connection, for the pages that work on one. Remembers it in the address. */
    T.chooseConnection = function (box, place, work) {
        place.empty().append(box.spinner());
        box.call('connections').done(function (connections) {
            place.empty();
            if (!connections.length) {
                box.tell(place, 'info', box.t('no_connections'));
                return;
            }
            var choice = box.select($.map(connections, function (connection) {
                return {value: connection.id, text: (connection.seller_name || connection.name) + ' · ' + box.word('api_', connection.api)};
            }), box.config.connection || connections[0].id);
            if (!choice.val()) {
                choice.val(connections[0].id);
            }
            var content = h('div');
            place.append(h('div.tradesync-toolbar', {}, [box.field(box.t('column_seller'), choice, null, 'tradesync-choice')]), content);
            var show = function () {
                work(choice.val(), content.empty(), $.grep(connections, function (connection) { return connection.id === choice.val(); })[0]);
            };
            choice.on('change', show);
            show();
        }).fail(box.fail(place));
    };

    function freshness(shop) {
        var real = $.grep(shop.runs, function (run) { return !run.dry_run; })[0];
        if (!shop.last_synced_at) {
            return '';
        }
        if (real && real.state === 'failed') {
            return 'bad';
        }
        var hours = (Date.now() - new Date(shop.last_synced_at).getTime()) / 3600000;
        return hours < 3 ? 'good' : hours < 30 ? 'warn' : 'bad';
    }

    pages.overview = function (box, place) {
        var tiles = h('div.tradesync-tiles');
        var rows = h('tbody');
        var sums = {shops: 0, fresh: 0, waiting: 0, failed: 0, retry: 0};
        place.append(tiles, table(box, ['seller', 'shop', 'state', 'last_synced', 'next_run', 'attention', ''], rows));
        var draw = function (sellers) {
            var tile = function (look, number, text) { return h('div.tradesync-tile.' + look, {}, [h('b', {}, box.number(number)), text]); };
            tiles.empty().append(
                tile('', sellers, box.t('tile_sellers')), tile('', sums.shops, box.t('tile_shops')), tile('good', sums.fresh, box.t('tile_fresh')),
                tile(sums.waiting ? 'warn' : 'good', sums.waiting, box.t('tile_waiting')), tile(sums.failed ? 'bad' : 'good', sums.failed, box.t('tile_failed')),
                tile(sums.retry ? 'warn' : 'good', sums.retry, box.t('tile_retry'))
            );
        };
        rows.append(h('tr', {}, [h('td', {colspan: 7}, box.spinner())]));
        box.call('connections').done(function (connections) {
            rows.empty();
            draw(connections.length);
            if (!connections.length) {
                rows.append(h('tr', {}, [h('td', {colspan: 7}, box.t('no_connections'))]));
            }
            each(connections, 3, function (connection) {
                var holder = h('tr', {}, [h('td', {}, connection.seller_name || connection.name), h('td', {colspan: 6}, icon('spinner fa-spin'))]);
                rows.append(holder);
                return box.call('row', {connection: connection.id}).done(function (row) {
                    sums.shops += row.shops.length;
                    sums.retry += row.retry;
                    sums.waiting += $.grep(row.waiting, function (run) { return !run.dry_run; }).length;
                    $.each(row.shops, function (i, shop) {
                        var look = freshness(shop);
                        sums.fresh += look === 'good' ? 1 : 0;
                        sums.failed += shop.runs[0] && shop.runs[0].state === 'failed' ? 1 : 0;
                    });
                    holder.replaceWith(lines(box, connection, row));
                    draw(connections.length);
                }).fail(function (error) {
                    holder.children().last().empty().append(h('span.text-danger', {}, error.text));
                });
            });
        }).fail(function (error) {
            rows.empty();
            box.tell(tiles, 'danger', error.text, error.detail);
        });
    };

    function lines(box, connection, row) {
        var panel = function (shop) {
            return h('a.btn.btn-default.btn-sm', {href: box.config.panel + '&seller=' + encodeURIComponent(connection.seller || '') + (shop ? '&stream=' + encodeURIComponent(shop) : '')}, [
                icon('external-link'), ' ', box.t('button_panel')
            ]);
        };
        var seller = [h('b', {}, connection.seller_name || connection.name), h('div.text-muted', {}, box.word('api_', connection.api) + (connection.enabled ? '' : ' · ' + box.t('disabled')))];
        if (!row.shops.length) {
            return h('tr', {}, [cell(box, 'seller', seller), h('td', {colspan: 5}, box.t('shops_none')), cell(box, '', connection.seller ? panel('') : null)]);
        }
        return $.map(row.shops, function (shop, i) {
            var last = $.grep(shop.runs, function (run) { return !run.dry_run; })[0] || shop.runs[0];
            var waiting = $.grep(row.waiting, function (run) { return run.stream === shop.stream && !run.dry_run; })[0];
            var attention = [];
            if (waiting) {
                attention.push(box.button('warning', 'hand-paper-o', box.t('held_short', {count: box.number(waiting.counts.held)}), function () {
                    T.asSeller(box, connection).report(waiting);
                }, {'data-act': 'held'}).addClass('btn-sm'));
            }
            if (i === 0 && row.retry) {
                attention.push(' ', h('a', {href: box.config.pages.retry + '&connection=' + connection.id}, box.t('retry_short', {count: box.number(row.retry)})));
            }
            return h('tr', {}, [
                cell(box, 'seller', i === 0 ? seller : ''),
                cell(box, 'shop', shop.name),
                cell(box, 'state', last ? [box.stateOf(last), h('div.text-muted', {}, box.counts(last.counts)), last.error ? h('div.text-danger', {}, box.word('fault_', last.error.code.replace(/-/g, '_'))) : null] : '–'),
                cell(box, 'last_synced', [h('span.tradesync-dot.' + freshness(shop), {'aria-hidden': 'true'}), box.when(shop.last_synced_at)]),
                cell(box, 'next_run', shop.next_run_at ? box.time(shop.next_run_at) : '–'),
                cell(box, 'attention', attention),
                cell(box, '', connection.seller ? panel(shop.stream) : null)
            ]);
        });
    }

    /** The same box, but what it asks is asked through the seller's own panel: runs, reports, failed products. */
    T.asSeller = function (box, connection) {
        var seller = '&seller=' + encodeURIComponent(connection.seller || '');
        var own = Object.create(box);
        own.config = $.extend({}, box.config, {api: box.config.panelApi + seller, csv: box.config.panelCsv + seller});
        return own;
    };

    pages.retry = function (box, place) {
        T.chooseConnection(box, place, function (connection, content, chosen) {
            var rows = h('tbody');
            var more = h('div.text-center');
            var message = h('div', {'aria-live': 'polite'});
            var cursor = '';
            var own = T.asSeller(box, chosen);
            var acts = function (item, row) {
                if (!box.config.modify || !chosen.seller) {
                    return null;
                }
                return [box.button('default', 'repeat', box.t('button_retry'), function () {
                    return own.call('retry', {id: item.id, once: T.once()}).then(function (run) {
                        return own.follow(run.id, function (now) { box.tell(message, 'info', box.progressText(now)); });
                    }).done(function (run) {
                        box.tell(message, '', '');
                        own.report(run);
                        row.remove();
                    }).fail(box.fail(message));
                }, {'data-act': 'retry'}).addClass('btn-sm'), ' ', box.button('link', null, box.t('button_dismiss'), function () {
                    return own.call('dismiss', {id: item.id}).done(function () { row.remove(); }).fail(box.fail(message));
                }, {'data-act': 'dismiss'}).addClass('btn-sm')];
            };
            content.append(h('p.text-muted', {}, box.t('retry_help')), message, table(box, ['product', 'reason', 'attempts', 'next_try', ''], rows), more);
            var load = function () {
                more.empty().append(box.spinner());
                return box.call('retryList', {connection: connection, cursor: cursor}).done(function (page) {
                    more.empty();
                    cursor = page.next_cursor;
                    rows.append($.map(page.items, function (item) {
                        var row = h('tr', {'data-item': item.key});
                        return row.append(
                            cell(box, 'product', [h('div', {}, item.name || item.key), h('small.text-muted', {}, item.key)]), cell(box, 'reason', item.reason.text),
                            cell(box, 'attempts', box.number(item.attempts)), cell(box, 'next_try', box.when(item.next_at)), cell(box, '', acts(item, row))
                        );
                    }));
                    if (cursor) {
                        more.append(box.button('default', 'angle-down', box.t('button_more'), load));
                    } else if (!rows.children().length) {
                        more.append(h('p.text-muted', {}, box.t('retry_none')));
                    }
                }).fail(box.fail(more));
            };
            load();
        });
    };

    /** What a check found, row by row. */
    T.checks = function (box, checks) {
        return $.map(checks, function (check) {
            return h('div.tradesync-check', {'data-check': check.name, 'data-ok': check.ok ? 'yes' : 'no'}, [
                icon(check.ok ? 'check-circle' : 'times-circle'),
                h('div', {}, [h('b', {}, box.word('check_', check.name.replace(/[.-]/g, '_'))), h('span.sr-only', {}, box.t(check.ok ? 'yes' : 'no')), h('div', {}, check.detail)])
            ]);
        });
    };

    /** Requirement section 6: check and dry run of every enabled connection, one table. Nothing is changed. */
    pages.rollout = function (box, place) {
        var rows = h('tbody');
        var message = h('div', {'aria-live': 'polite'});
        place.append(h('p', {}, box.t('rollout_help')), message, h('div.tradesync-toolbar', {}, [
            box.button('primary', 'play', box.t('button_rollout'), function () { return start(); }, {'data-act': 'rollout'})
        ]), table(box, ['seller', 'shop', 'check', 'would', 'verdict', ''], rows));

        function start() {
            rows.empty();
            box.tell(message, '', '');
            return box.call('connections').then(function (connections) {
                connections = $.grep(connections, function (connection) { return connection.enabled && connection.seller; });
                if (!connections.length) {
                    box.tell(message, 'info', box.t('no_connections'));
                }
                return each(connections, 2, one);
            }).fail(box.fail(message));
        }

        function one(connection) {
            var own = T.asSeller(box, connection);
            var line = function (shop) {
                var parts = {check: h('td', {'data-label': box.t('column_check')}, icon('spinner fa-spin')), would: h('td', {'data-label': box.t('column_would')}),
                    verdict: h('td', {'data-label': box.t('column_verdict')}), act: h('td')};
                rows.append(h('tr', {'data-connection': connection.id}, [cell(box, 'seller', connection.seller_name || connection.name), cell(box, 'shop', shop), parts.check, parts.would, parts.verdict, parts.act]));
                return parts;
            };
            return box.call('row', {connection: connection.id}).then(function (row) {
                var first = line(row.shops.length ? row.shops[0].name : '–');
                return box.call('check', {connection: connection.id}).then(function (check) {
                    var bad = $.grep(check.checks, function (one) { return !one.ok; });
                    var show = function (parts) {
                        parts.check.empty().append(bad.length ? $.map(bad, function (one) { return h('div.text-danger', {}, box.word('check_', one.name.replace(/[.-]/g, '_')) + ': ' + one.detail); })
                            : h('span.text-success', {}, [icon('check'), ' ', box.t('check_ok')]));
                    };
                    show(first);
                    if (bad.length || !row.shops.length) {
                        first.verdict.append(h('span.label.label-danger.tradesync-badge', {}, box.t(bad.length ? 'verdict_check' : 'verdict_no_shop')));
                        return $.Deferred().resolve();
                    }
                    return each(row.shops, 1, function (shop) {
                        var parts = shop === row.shops[0] ? first : line(shop.name);
                        show(parts);
                        return dry(own, connection, shop, parts);
                    });
                }, function (error) {
                    first.check.empty().append(h('span.text-danger', {}, error.text));
                    first.verdict.append(h('span.label.label-danger.tradesync-badge', {}, box.t('verdict_check')));
                });
            });
        }

        function dry(own, connection, shop, parts) {
            var text = h('span.text-muted');
            parts.would.append(text);
            return own.call('sync', {connection: connection.id, stream: shop.stream, mode: 'full', dry_run: true, once: T.once()}).then(function (run) {
                return own.follow(run.id, function (now) { text.text(box.progressText(now)); });
            }).then(function (run) {
                var well = run.state === 'awaiting_approval' || run.state === 'succeeded';
                var doubt = run.counts.failed > 0 || run.whole === false || (run.brakes || []).length > 0;
                parts.would.empty().append(box.counts(run.counts));
                if (run.error) {
                    parts.would.append(h('div.text-danger', {}, [box.word('fault_', run.error.code.replace(/-/g, '_')), h('div.tradesync-detail', {}, run.error.detail)]));
                }
                $.each(run.brakes || [], function (i, brake) { parts.would.append(h('div.text-warning', {}, brake.text)); });
                parts.verdict.append(h('span.label.tradesync-badge.label-' + (!well ? 'danger' : doubt ? 'warning' : 'success'), {}, box.t(!well ? 'verdict_failed' : doubt ? 'verdict_look' : 'verdict_ready')));
                parts.act.append(box.button('default', 'list-alt', box.t('button_report'), function () { own.report(run); }).addClass('btn-sm'));
            }, function (error) {
                parts.would.empty().append(h('span.text-danger', {}, error.text));
                parts.verdict.append(h('span.label.label-danger.tradesync-badge', {}, box.t('verdict_failed')));
            });
        }
    };

    /** On the settings page: is the service there, and are the keys what they should be? */
    pages.test = function (box, place) {
        var result = h('div', {'aria-live': 'polite'});
        place.append(h('p.text-muted', {}, box.t('test_help')), box.config.modify ? box.button('default', 'stethoscope', box.t('button_test'), function () {
            return box.call('testConnection').done(function (rows) {
                result.empty().append(T.checks(box, $.map(rows, function (row) {
                    return {name: row.name, ok: row.ok, detail: row.ok ? box.t('test_ok_' + row.name) : row.problem.text + (row.problem.detail ? ' ' + row.problem.detail : '')};
                })));
            }).fail(box.fail(result));
        }, {'data-act': 'test'}) : null, result);
    };

    $(function () {
        $('.tradesync-office').each(function () {
            var box = new T.Box(this);
            var place = h('div');
            box.root.addClass('tradesync').empty().append(box.config.page === 'test' ? place
                : h('div.panel.panel-default', {}, h('div.panel-body', {}, place)));
            T.pages[box.config.page](box, place);
        });
    });
}(window.jQuery, window));
