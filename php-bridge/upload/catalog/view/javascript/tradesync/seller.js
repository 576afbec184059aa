/*
 * The administrator's list of sellers, and the form of one seller: account at Billz, rules, brakes, check.
 */
(function ($, window) {
    'use strict';

    var T = window.Tradesync;
    var h = T.h;
    var icon = T.icon;
    var pages = T.pages = T.pages || {};

    pages.sellers = function (box, place) {
        var rows = h('tbody');
        var more = h('div.text-center');
        var search = h('input.form-control', {type: 'search', autocomplete: 'off'});
        var start = 0;
        var known = {};
        place.append(h('div.tradesync-toolbar', {}, [box.field(box.t('search_seller'), search, null, 'tradesync-choice')]),
            T.table(box, ['seller', 'billz', 'state', ''], rows), more);
        var load = function (anew) {
            if (anew) {
                start = 0;
                rows.empty();
            }
            more.empty().append(box.spinner());
            return box.call('sellers', {search: $.trim(search.val()), start: start}).done(function (page) {
                more.empty();
                start += page.items.length;
                rows.append($.map(page.items, function (seller) {
                    var own = known[seller.owner];
                    return h('tr', {}, [
                        T.cell(box, 'seller', [h('b', {}, seller.name), seller.active ? null : h('div.text-muted', {}, box.t('seller_inactive'))]),
                        T.cell(box, 'billz', own ? box.word('api_', own.api) : '–'),
                        T.cell(box, 'state', own ? h('span.label.label-' + (own.enabled ? 'success' : 'default') + '.tradesync-badge', {}, box.t(own.enabled ? 'enabled' : 'disabled'))
                            : h('span.text-muted', {}, box.t('not_set_up'))),
                        T.cell(box, '', [
                            h('a.btn.btn-primary.btn-sm', {href: box.config.pages.seller + '&seller=' + encodeURIComponent(seller.id)}, [icon('pencil'), ' ', box.t(own ? 'button_edit' : 'button_connect')]), ' ',
                            own ? h('a.btn.btn-default.btn-sm', {href: box.config.panel + '&seller=' + encodeURIComponent(seller.id)}, [icon('external-link'), ' ', box.t('button_panel')]) : null
                        ])
                    ]);
                }));
                if (start < page.total) {
                    more.append(box.button('default', 'angle-down', box.t('button_more'), function () { return load(false); }));
                } else if (!page.total) {
                    more.append(h('p.text-muted', {}, box.t('no_sellers')));
                }
            }).fail(box.fail(more));
        };
        var timer = null;
        search.on('input', function () {
            window.clearTimeout(timer);
            timer = window.setTimeout(function () { load(true); }, 300);
        });
        // The list itself comes from the shop, so it is shown although the service does not answer.
        var message = h('div').prependTo(place);
        box.call('connections').done(function (connections) {
            $.each(connections, function (i, connection) { known[connection.owner] = connection; });
        }).fail(box.fail(message)).always(function () { load(true); });
    };

    /** Settings of the form: in groups; `kind` decides the field, `options` are words of the setting. */
    var FORM = [
        {group: 'stock', fields: [
            {name: 'stock', kind: 'choice', options: ['sum', 'selected']}, {name: 'stock_buffer', kind: 'number'}, {name: 'stock_cap', kind: 'number'},
            {name: 'site_sales', kind: 'choice', options: ['keep', 'net', 'ignore']}
        ]},
        {group: 'price', fields: [
            {name: 'price_shop', kind: 'shop'}, {name: 'currency', kind: 'text'}, {name: 'rates', kind: 'rates'}, {name: 'rounding', kind: 'step'}, {name: 'min_price', kind: 'text'},
            {name: 'specials', kind: 'choice', options: ['remove', 'close']}, {name: 'specials_scope', kind: 'choice', options: ['all', 'own']}
        ]},
        {group: 'new', fields: [
            {name: 'new_products', kind: 'choice', options: ['hidden', 'live', 'off']}, {name: 'new_without_stock', kind: 'yes'},
            {name: 'unmapped_category', kind: 'choice', options: ['inbox', 'default']}, {name: 'default_category_id', kind: 'category'},
            {name: 'linking', kind: 'choice', options: ['confirm', 'auto']}, {name: 'services', kind: 'yes'}
        ]},
        {group: 'old', fields: [
            {name: 'update_fields', kind: 'many', options: ['quantity', 'price', 'special', 'name', 'description', 'images', 'categories', 'attributes', 'manufacturer']},
            {name: 'vanished', kind: 'choice', options: ['leave', 'zero', 'disable']}, {name: 'vanished_delay', kind: 'text'},
            {name: 'deleted_in_shop', kind: 'choice', options: ['leave', 'recreate']}
        ]},
        {group: 'more', closed: true, fields: [
            {name: 'full_every', kind: 'text'}, {name: 'base_url', kind: 'text'}, {name: 'sku_column', kind: 'text'}, {name: 'barcode_column', kind: 'text'},
            {name: 'model_column', kind: 'text'}, {name: 'images', kind: 'hosts'}
        ]}
    ];

    var BRAKES = ['source_shrunk', 'products_zeroed', 'prices_moved', 'price_jump', 'new_products', 'currency_changed'];

    /** A field of the form; `read()` gives the setting's value as the service takes it. */
    function field(box, spec, value, shops) {
        var label = box.t('set_' + spec.name);
        var help = box.texts['set_' + spec.name + '_help'];
        var input;
        var read = function () { return input.val(); };
        if (spec.kind === 'choice') {
            input = box.select($.map(spec.options, function (option) { return {value: option, text: box.t('opt_' + spec.name + '_' + option)}; }), value);
        } else if (spec.kind === 'yes') {
            input = box.select([{value: 'yes', text: box.t('yes')}, {value: 'no', text: box.t('no')}], value ? 'yes' : 'no');
            read = function () { return input.val() === 'yes'; };
        } else if (spec.kind === 'number') {
            input = h('input.form-control', {type: 'number', min: 0, step: 1, value: value});
            read = function () { return input.val() === '' ? null : Number(input.val()); };
        } else if (spec.kind === 'shop') {
            input = box.select([{value: '', text: box.t('price_of_each')}].concat($.map(shops, function (shop) { return {value: shop.stream, text: shop.name}; })), value || '');
            read = function () { return input.val() || null; };
        } else if (spec.kind === 'category') {
            var target = new T.Target(box, 'categories', value);
            input = target.input.attr('data-setting', spec.name);
            read = function () { return target.value() === '' ? null : Number(target.value()); };
            return {name: spec.name, element: box.field(label, input, help), read: read, ready: target.place};
        } else if (spec.kind === 'rates') {
            input = h('textarea.form-control', {rows: 2, placeholder: 'USD 12650'}).val($.map(value || {}, function (rate, code) { return code + ' ' + rate; }).join('\n'));
            read = function () {
                var rates = {};
                $.each(input.val().split('\n'), function (i, line) {
                    var parts = $.trim(line).split(/[\s=:]+/);
                    if (parts[0]) {
                        rates[parts[0].toUpperCase()] = parts[1] || '';
                    }
                });
                // A currency that is no longer listed has to be taken away by its name.
                $.each(value || {}, function (code) {
                    if (!(code in rates)) {
                        rates[code] = null;
                    }
                });
                return rates;
            };
        } else if (spec.kind === 'step') {
            input = h('input.form-control', {type: 'text', inputmode: 'decimal', value: value ? value.step : ''});
            read = function () { return {step: input.val()}; };
        } else if (spec.kind === 'many') {
            input = h('div', {role: 'group', 'aria-label': label}, $.map(spec.options, function (option) {
                return h('label.checkbox-inline', {}, [h('input', {type: 'checkbox', value: option, checked: $.inArray(option, value) >= 0}), box.word('field_', option)]);
            }));
            read = function () { return input.find('input:checked').map(function () { return this.value; }).get(); };
            return {name: spec.name, read: read, element: h('div.form-group.col-sm-12', {}, [h('b', {}, label), input, help ? h('span.help-block', {}, help) : null])};
        } else if (spec.kind === 'hosts') {
            input = h('input.form-control', {type: 'text', value: (value && value.allow_hosts || []).join(', ')});
            read = function () { return {allow_hosts: $.grep(input.val().split(/[\s,]+/), function (host) { return host; })}; };
        } else {
            input = h('input.form-control', {type: 'text', value: value});
            read = function () { return $.trim(input.val()) || null; };
        }
        input.attr('data-setting', spec.name);
        return {name: spec.name, element: box.field(label, input, help), read: read};
    }

    pages.seller = function (box, place) {
        place.append(box.spinner());
        box.call('connection', {seller: box.config.seller}).done(function (got) {
            place.empty();
            new Form(box, place, got);
        }).fail(function (error) {
            place.empty();
            box.tell(place, 'danger', error.text, error.detail);
        });
    };

    function Form(box, place, got) {
        this.box = box;
        this.place = place;
        this.got = got;
        this.draw();
    }

    $.extend(Form.prototype, {
        draw: function () {
            var form = this;
            var box = this.box;
            var connection = this.got.connection;
            var settings = $.extend(true, {}, box.config.defaults, connection ? connection.settings : {});
            if (connection && connection.settings.update_fields) {
                settings.update_fields = connection.settings.update_fields;
            }
            var set = function (name) { return !!(connection && connection.secrets[name]); };
            this.message = h('div', {'aria-live': 'polite'});
            this.api = connection ? settings.api : 'billz2';
            this.enabled = h('input', {type: 'checkbox', id: T.uid('enabled'), checked: !connection || connection.enabled});
            this.name = h('input.form-control', {type: 'text', maxlength: 191, value: connection ? connection.name : box.config.seller_name});
            this.secret = h('input.form-control', {type: 'password', autocomplete: 'new-password', placeholder: set('secret') ? '••••••••' : '', name: 'billz-secret'});
            this.username = h('input.form-control', {type: 'text', autocomplete: 'off', placeholder: set('username') ? '••••••••' : '', name: 'billz-username'});
            var usernameField = box.field(box.t('username'), this.username, box.t(set('username') ? 'secret_kept' : 'username_help'));
            var choice = h('div.btn-group', {'data-toggle': 'buttons', role: 'radiogroup', 'aria-label': box.t('api')}, $.map(['billz1', 'billz2'], function (api) {
                return h('label.btn.btn-default' + (form.api === api ? '.active' : ''), {}, [
                    h('input', {type: 'radio', name: 'tradesync-api', value: api, checked: form.api === api, autocomplete: 'off', onchange: function () {
                        form.api = api;
                        usernameField.toggle(api === 'billz1');
                    }}), box.t('uses_' + api)
                ]);
            }));
            usernameField.toggle(form.api === 'billz1');
            this.fields = [];
            var groups = $.map(FORM, function (group) {
                var parts = $.map(group.fields, function (spec) {
                    var made = field(box, spec, settings[spec.name], form.got.shops);
                    form.fields.push(made);
                    return made.element;
                });
                var row = h('div.row.tradesync-fields', {}, parts);
                return group.closed
                    ? h('details.tradesync-details', {}, [h('summary', {}, box.t('group_' + group.group)), row])
                    : h('fieldset', {}, [h('legend', {}, box.t('group_' + group.group)), row]);
            });
            this.result = h('div', {'aria-live': 'polite'});
            this.brakes = h('div');
            this.place.empty().append(
                h('fieldset', {}, [
                    h('legend', {}, box.t('group_account')),
                    h('div.form-group', {}, choice),
                    h('div.row.tradesync-fields', {}, [
                        box.field(box.t('secret'), this.secret, box.t(set('secret') ? 'secret_kept' : 'secret_help')), usernameField, box.field(box.t('connection_name'), this.name)
                    ]),
                    h('div.checkbox', {}, h('label', {'for': this.enabled.attr('id')}, [this.enabled, ' ', box.t('connection_enabled')]))
                ]),
                groups, this.message,
                h('div.tradesync-sticky', {}, [
                    box.config.modify ? box.button('primary', 'save', box.t('button_save'), function () { return form.save(); }, {'data-act': 'save-seller'}) : null, ' ',
                    connection && box.config.modify ? box.button('default', 'stethoscope', box.t('button_check'), function () { return form.check(); }, {'data-act': 'check'}) : null, ' ',
                    connection ? h('a.btn.btn-default', {href: box.config.panel + '&seller=' + encodeURIComponent(box.config.seller)}, [icon('external-link'), ' ', box.t('button_panel')]) : null, ' ',
                    connection ? h('a.btn.btn-default', {href: box.config.pages.mapping + '&connection=' + connection.id}, [icon('sitemap'), ' ', box.t('button_mapping')]) : null, ' ',
                    connection ? h('a.btn.btn-default', {href: box.config.pages.links + '&connection=' + connection.id}, [icon('link'), ' ', box.t('button_links')]) : null, ' ',
                    connection && box.config.modify ? box.button('link', null, box.t('button_disconnect'), function () { return form.remove(); }) : null
                ]),
                this.result, this.brakes
            );
            if (connection) {
                new Brakes(box, this.brakes, connection.id);
            }
        },

        save: function () {
            var form = this;
            var box = this.box;
            var settings = {api: this.api};
            $.each(this.fields, function (i, one) { settings[one.name] = one.read(); });
            box.tell(this.message, '', '');
            return box.call('saveSeller', {
                seller: box.config.seller, name: $.trim(this.name.val()), enabled: this.enabled.prop('checked'), secret: this.secret.val(), username: this.username.val(),
                settings: settings, etag: this.got.etag, once: T.once()
            }).then(function () {
                return box.call('connection', {seller: box.config.seller});
            }).done(function (got) {
                form.got = got;
                form.draw();
                box.tell(form.message, 'success', box.t('seller_saved'));
            }).fail(function (error) {
                box.tell(form.message, 'danger', error.text, error.detail);
            });
        },

        check: function () {
            var form = this;
            var box = this.box;
            box.tell(this.result, '', '');
            return box.call('check', {connection: this.got.connection.id}).done(function (found) {
                form.result.empty().append(h('h4', {}, box.t(found.ok ? 'check_ok' : 'check_bad')), T.checks(box, found.checks));
            }).fail(box.fail(this.result));
        },

        remove: function () {
            var form = this;
            var box = this.box;
            return box.ask(box.t('disconnect_question'), box.t('button_disconnect'), 'danger').then(function () {
                return box.call('removeSeller', {connection: form.got.connection.id});
            }).done(function () {
                window.location.href = box.config.pages.sellers;
            }).fail(function (error) {
                if (error.text) {
                    box.tell(form.message, 'danger', error.text, error.detail);
                }
            });
        }
    });

    /** Limits on what a run may change, with what the last runs read against them. */
    function Brakes(box, place, connection) {
        place.append(h('hr'), h('h4', {}, box.t('brakes')), h('p.text-muted', {}, box.t('brakes_help')));
        var body = h('div').appendTo(place).append(box.spinner());
        var message = h('div', {'aria-live': 'polite'}).appendTo(place);
        var draw = function (got) {
            var rows = h('tbody');
            var read = [];
            $.each(BRAKES, function (i, rule) {
                var limit = got.brakes.limits[rule];
                var on = h('input', {type: 'checkbox', checked: limit.on, 'aria-label': box.t('brake_' + rule)});
                var number = function (name, factor) {
                    if (limit[name] === undefined || limit[name] === null) {
                        return null;
                    }
                    var shown = factor ? Math.round(Number(limit[name]) * 10000) / 100 : limit[name];
                    var input = h('input.form-control.input-sm', {type: 'number', step: 'any', min: 0, value: shown, 'aria-label': box.t('brake_' + rule) + ': ' + box.t('limit_' + name)});
                    read.push(function (limits) {
                        limits[rule][name] = factor ? String(Number(input.val()) / 100) : name === 'from' ? Number(input.val()) : input.val();
                    });
                    return h('div', {}, [h('small.text-muted', {}, box.t('limit_' + name)), input]);
                };
                var readings = $.grep(got.brakes.readings, function (reading) { return reading.rule === rule; });
                read.push(function (limits) { limits[rule].on = on.prop('checked'); });
                rows.append(h('tr', {'data-brake': rule}, [
                    T.cell(box, 'brake', h('label', {}, [on, ' ', box.t('brake_' + rule)])),
                    T.cell(box, 'limit', h('div.tradesync-line', {}, [number('share', true), number('by', true), number('factor'), number('from')])),
                    T.cell(box, 'reading', readings.length ? $.map(readings.slice(0, 3), function (reading) {
                        return h('div' + (reading.tripped ? '.text-danger' : '.text-muted'), {}, box.t('reading', {count: box.number(reading.count), of: box.number(reading.of), percent: reading.percent, time: box.time(reading.at)}));
                    }) : '–')
                ]));
            });
            body.empty().append(T.table(box, ['brake', 'limit', 'reading'], rows));
            if (box.config.modify) {
                body.append(box.button('default', 'save', box.t('button_save_brakes'), function () {
                    var limits = $.extend(true, {}, got.brakes.limits);
                    $.each(read, function (i, one) { one(limits); });
                    return box.call('saveBrakes', {connection: connection, etag: got.etag, brakes: {limits: limits, first_run: got.brakes.first_run, streams: got.brakes.streams}}).done(function (now) {
                        draw(now);
                        box.tell(message, 'success', box.t('saved'));
                    }).fail(box.fail(message));
                }, {'data-act': 'save-brakes'}));
            }
        };
        box.call('brakes', {connection: connection}).done(draw).fail(box.fail(body));
    }
}(window.jQuery, window));
