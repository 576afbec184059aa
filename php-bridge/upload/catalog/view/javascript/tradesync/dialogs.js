/*
 * Two dialogs of the seller's panel: the list of Billz shops, and the schedules of the chosen shop.
 */
(function ($, window) {
    'use strict';

    var T = window.Tradesync;
    if (T.Shops) {
        return;
    }
    var h = T.h;
    var icon = T.icon;

    /** «Список магазинов billz». */
    function Shops(panel) {
        this.panel = panel;
        this.box = panel.box;
        this.message = h('div', {'aria-live': 'polite'});
        this.rows = h('div');
        this.offers = h('div');
        var shops = this;
        this.dialog = this.box.dialog(this.box.t('title_shops'), [
            h('p.text-muted', {}, this.box.t('shops_help')), this.message, this.rows, this.offers
        ], null, true).addClass('tradesync-shops');
        this.dialog.on('hidden.bs.modal', function () { panel.draw(); });
        $.each(panel.connections, function (i, connection) { shops.connection(connection); });
    }

    $.extend(Shops.prototype, {
        connection: function (connection) {
            var shops = this;
            var box = this.box;
            var list = h('div.list-group');
            var offers = h('div');
            var name = h('input.form-control', {type: 'text', maxlength: 255, autocomplete: 'off'});
            var key = h('input.form-control', {type: 'text', maxlength: 191, autocomplete: 'off'});
            var draw = function () {
                list.empty();
                if (!connection.shops.length) {
                    list.append(h('p.text-muted', {}, box.t('shops_none')));
                }
                list.append($.map(connection.shops, function (shop) { return shops.line(connection, shop, draw); }));
            };
            var add = function (stream, title) {
                return box.call('addShop', {connection: connection.id, stream: stream, name: title, once: T.once()}).done(function (made) {
                    connection.shops.push(made);
                    box.tell(shops.message, 'success', box.t('shop_added', {name: made.name}));
                    draw();
                }).fail(box.fail(shops.message));
            };
            this.rows.append(
                this.panel.connections.length > 1 ? h('h4', {}, connection.name + ' (' + box.word('api_', connection.api) + ')') : null,
                list,
                box.button('primary', 'cloud-download', box.t('button_discover'), function () {
                    offers.empty();
                    return box.call('discover', {connection: connection.id}).done(function (found) {
                        var known = $.map(connection.shops, function (shop) { return shop.stream; });
                        var fresh = $.grep(found, function (offer) { return $.inArray(offer.stream, known) < 0; });
                        if (!fresh.length) {
                            box.tell(offers, 'info', box.t(found.length ? 'discover_known' : 'discover_none'));
                            return;
                        }
                        offers.append(h('p', {}, box.t('discover_found')), h('div.list-group', {}, $.map(fresh, function (offer) {
                            var line = h('div.list-group-item.tradesync-line', {}, [h('span', {}, offer.name)]);
                            return line.append(box.button('success', 'plus', box.t('button_add'), function () {
                                return add(offer.stream, offer.name).done(function () { line.remove(); });
                            }).addClass('btn-sm'));
                        })));
                    }).fail(box.fail(offers));
                }, {'data-act': 'discover'}),
                offers,
                h('details.tradesync-details', {}, [h('summary', {}, box.t('shops_by_hand')), h('div.row.tradesync-fields', {}, [
                    box.field(box.t('shop_key'), key, box.t('shop_key_help_' + connection.api)), box.field(box.t('shop_name'), name)
                ]), box.button('default', 'plus', box.t('button_add'), function () {
                    return add($.trim(key.val()), $.trim(name.val())).done(function () {
                        key.val('');
                        name.val('');
                    });
                })])
            );
            draw();
        },

        line: function (connection, shop, draw) {
            var shops = this;
            var box = this.box;
            var of = {connection: connection.id, stream: shop.stream};
            var name = h('input.form-control', {type: 'text', maxlength: 255, value: shop.name, 'aria-label': box.t('shop_name')});
            return h('div.list-group-item.tradesync-line', {'data-shop': shop.stream}, [
                h('div.tradesync-grow', {}, [name, h('small.text-muted', {}, [shop.stream, ' · ', box.t('last_synced') + ': ' + box.time(shop.last_synced_at)])]),
                h('span', {}, [
                    box.button('default', 'check', box.t('button_rename'), function () {
                        return box.call('renameShop', $.extend({name: $.trim(name.val())}, of)).done(function (now) {
                            shop.name = now.name;
                            box.tell(shops.message, 'success', box.t('shop_renamed', {name: now.name}));
                        }).fail(box.fail(shops.message));
                    }).addClass('btn-sm'), ' ',
                    box.button('default', 'trash-o', box.t('button_remove'), function () {
                        return box.ask(box.t('shop_remove_question', {name: shop.name}), box.t('button_remove'), 'danger').then(function () {
                            return box.call('removeShop', of);
                        }).done(function () {
                            connection.shops.splice($.inArray(shop, connection.shops), 1);
                            box.tell(shops.message, 'success', box.t('shop_removed', {name: shop.name}));
                            draw();
                        }).fail(function (error) {
                            if (error.text) {
                                box.tell(shops.message, 'danger', error.text, error.detail);
                            }
                        });
                    }).addClass('btn-sm')
                ])
            ]);
        }
    });

    /** Schedules of the chosen shop: list, form, next times, reports of each. */
    function Schedules(panel) {
        this.panel = panel;
        this.box = panel.box;
        this.of = panel.chosen();
        this.message = h('div', {'aria-live': 'polite'});
        this.list = h('div');
        this.place = h('div');
        this.dialog = this.box.dialog(
            this.box.t('title_schedule', {shop: panel.shop ? panel.shop.shop.name : ''}), [this.message, this.list, this.place], null, true
        ).addClass('tradesync-schedules');
        this.dialog.on('hidden.bs.modal', function () { panel.pick(); });
        this.load();
    }

    $.extend(Schedules.prototype, {
        load: function () {
            var dialog = this;
            var box = this.box;
            this.list.empty().append(box.spinner());
            this.place.empty();
            return box.call('schedules', this.of).done(function (schedules) {
                dialog.list.empty().append($.map(schedules, function (schedule) { return dialog.line(schedule); }));
                if (!schedules.length) {
                    dialog.list.append(h('p.text-muted', {}, box.t('schedules_none')));
                    if (box.config.modify) {
                        dialog.form(null);
                    }
                } else if (box.config.modify) {
                    dialog.list.append(box.button('default', 'plus', box.t('button_add_schedule'), function () { dialog.form(null); }));
                }
            }).fail(box.fail(this.list));
        },

        line: function (schedule) {
            var dialog = this;
            var box = this.box;
            var more = h('div');
            var act = function (action, look, sign, question) {
                return box.button(look, sign, box.t('button_' + action), function () {
                    var going = question ? box.ask(question, box.t('button_' + action), 'danger') : $.Deferred().resolve();
                    return going.then(function () { return box.call(action, {id: schedule.id}); }).done(function () {
                        dialog.load();
                    }).fail(function (error) {
                        if (error.text) {
                            box.tell(dialog.message, 'danger', error.text, error.detail);
                        }
                    });
                }, {'data-act': action}).addClass('btn-sm');
            };
            return h('div.panel.panel-default.tradesync-schedule', {'data-schedule': schedule.id}, [h('div.panel-body', {}, [
                h('p', {}, [
                    h('span.label.label-' + (schedule.enabled ? 'success' : 'default'), {}, box.t(schedule.enabled ? 'schedule_on' : 'schedule_stopped')), ' ',
                    h('b', {}, schedule.text), ' ', h('span.text-muted', {}, box.word('mode_', schedule.mode))
                ]),
                schedule.next.length ? h('p.text-muted', {}, box.t('next_times', {times: $.map(schedule.next, function (at) { return box.time(at); }).join(' · ')})) : null,
                schedule.last_skip ? h('p.text-warning', {}, [icon('info-circle'), ' ', box.t('skipped', {time: box.time(schedule.last_skip.last_due_at)}) + ' ' + schedule.last_skip.text]) : null,
                h('div', {}, [
                    box.config.modify ? [
                        schedule.enabled ? act('stopSchedule', 'default', 'pause') : act('startSchedule', 'success', 'play'), ' ',
                        box.button('default', 'pencil', box.t('button_edit'), function () { dialog.form(schedule); }).addClass('btn-sm'), ' ',
                        act('deleteSchedule', 'default', 'trash-o', box.t('schedule_delete_question')), ' '
                    ] : null,
                    box.button('default', 'list-alt', box.t('button_schedule_reports'), function () { return dialog.runs(schedule, more); }).addClass('btn-sm')
                ]),
                more
            ])]);
        },

        runs: function (schedule, place) {
            var dialog = this;
            var box = this.box;
            return box.call('scheduleRuns', {id: schedule.id}).done(function (got) {
                place.empty().append(h('div.list-group', {}, $.map(got.runs.items, function (run) { return dialog.panel.runLine(run); })));
                if (!got.runs.items.length) {
                    place.append(h('p.text-muted', {}, box.t('no_runs')));
                }
                place.append($.map(got.skips, function (skip) {
                    return h('p.text-muted', {}, box.t('skip_line', {count: skip.count, from: box.time(skip.first_due_at), to: box.time(skip.last_due_at)}) + ' ' + skip.text);
                }));
            }).fail(box.fail(place));
        },

        /** The form of a schedule; of a new one when there is none. */
        form: function (schedule) {
            var dialog = this;
            var box = this.box;
            var rule = schedule || {every: '30m', cron: null, timezone: box.config.timezone, days: null, window: null, mode: 'incremental', catch_up: 'once'};
            var periods = $.map(['5m', '10m', '15m', '30m', '1h', '2h', '4h', '6h', '12h', '24h'], function (value) {
                return {value: value, text: box.t('every_' + value)};
            });
            if (rule.every && !$.grep(periods, function (period) { return period.value === rule.every; }).length) {
                periods.push({value: rule.every, text: rule.every});
            }
            periods.push({value: 'cron', text: box.t('every_cron')});
            var every = box.select(periods, rule.cron ? 'cron' : rule.every, {name: 'every'});
            var cron = h('input.form-control', {type: 'text', name: 'cron', placeholder: '*/15 9-20 * * 1-6', value: rule.cron || ''});
            var cronField = box.field(box.t('cron'), cron, box.t('cron_help'));
            var from = h('input.form-control', {type: 'time', name: 'from', value: rule.window ? rule.window.from : ''});
            var to = h('input.form-control', {type: 'time', name: 'to', value: rule.window ? rule.window.to : ''});
            var zone = h('input.form-control', {type: 'text', name: 'timezone', list: 'tradesync-zones', value: rule.timezone});
            var mode = box.select($.map(['incremental', 'full'], function (value) { return {value: value, text: box.t('mode_' + value)}; }), rule.mode, {name: 'mode'});
            var missed = box.select($.map(['once', 'skip'], function (value) { return {value: value, text: box.t('catch_up_' + value)}; }), rule.catch_up, {name: 'catch_up'});
            var days = h('div.tradesync-days', {role: 'group', 'aria-label': box.t('days')}, $.map([1, 2, 3, 4, 5, 6, 7], function (day) {
                return h('label.checkbox-inline', {}, [
                    h('input', {type: 'checkbox', value: day, checked: !rule.days || $.inArray(day, rule.days) >= 0}), box.t('day_' + day)
                ]);
            }));
            var message = h('div', {'aria-live': 'polite'});
            var showCron = function () { cronField.toggle(every.val() === 'cron'); };
            every.on('change', showCron);
            this.place.empty().append(h('div.well.tradesync-form', {}, [
                h('h4', {}, box.t(schedule ? 'schedule_edit' : 'schedule_new')),
                h('div.row.tradesync-fields', {}, [
                    box.field(box.t('every'), every), cronField,
                    h('div.form-group.col-sm-12', {}, [h('span.control-label', {}, h('b', {}, box.t('days'))), days]),
                    box.field(box.t('from'), from, box.t('window_help'), 'col-sm-3'), box.field(box.t('to'), to, null, 'col-sm-3'),
                    box.field(box.t('timezone'), zone), box.field(box.t('mode'), mode, box.t('mode_help')), box.field(box.t('catch_up'), missed)
                ]),
                h('datalist', {id: 'tradesync-zones'}, $.map(['Asia/Tashkent', 'Asia/Samarkand', 'Asia/Almaty', 'Europe/Moscow', 'Europe/Kyiv', 'UTC'], function (name) {
                    return h('option', {value: name});
                })),
                message,
                box.button('primary', 'check', box.t('button_save'), function () {
                    var picked = days.find('input:checked').map(function () { return Number(this.value); }).get();
                    return box.call('saveSchedule', $.extend({
                        id: schedule ? schedule.id : '', every: every.val() === 'cron' ? '' : every.val(), cron: every.val() === 'cron' ? cron.val() : '',
                        timezone: zone.val(), days: picked.length === 7 ? [] : picked, from: from.val(), to: to.val(), mode: mode.val(),
                        catch_up: missed.val(), once: T.once()
                    }, dialog.of)).done(function () { dialog.load(); }).fail(box.fail(message));
                }, {'data-act': 'save-schedule'}), ' ',
                h('button.btn.btn-default', {type: 'button', onclick: function () { dialog.place.empty(); }}, box.t('button_back'))
            ]));
            showCron();
        }
    });

    T.Shops = Shops;
    T.Schedules = Schedules;
}(window.jQuery, window));
