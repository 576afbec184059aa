/*
 * What the administrator trusts the synchronisation by: products and fields that it must not touch, and who did what.
 */
(function ($, window) {
    'use strict';

    var T = window.Tradesync;
    var h = T.h;
    var icon = T.icon;
    var pages = T.pages = T.pages || {};

    /** Fields that can be locked, as the service names them (a test compares). */
    var FIELDS = ['quantity', 'price', 'special', 'name', 'description', 'images', 'categories', 'attributes', 'manufacturer', 'status'];

    /** What was done, as the service names it (a test compares): for the filter. */
    var ACTS = ['sync.start', 'runs.approve', 'runs.reject', 'runs.undo', 'runs.cancel', 'runs.retry-failed', 'retry-list.retry', 'retry-list.dismiss',
        'connections.create', 'connections.change', 'connections.delete', 'streams.create', 'streams.change', 'streams.delete',
        'schedules.create', 'schedules.change', 'schedules.delete', 'schedules.start', 'schedules.stop',
        'category-mappings.set', 'links.set', 'links.confirm', 'links.delete', 'locks.set', 'brakes.set', 'alerts.set', 'alerts.test', 'keys.create', 'keys.revoke'];

    pages.locks = function (box, place) {
        T.chooseConnection(box, place, function (connection, content) {
            new Locks(box, connection, content);
        });
    };

    function Locks(box, connection, place) {
        var page = this;
        this.box = box;
        this.connection = connection;
        this.place = place;
        place.append(box.spinner());
        box.call('locks', {connection: connection}).done(function (got) {
            page.draw(got);
        }).fail(function (error) {
            place.empty();
            box.tell(place, 'danger', error.text, error.detail);
        });
    }

    $.extend(Locks.prototype, {
        draw: function (got) {
            var page = this;
            var box = this.box;
            this.etag = got.etag;
            this.items = got.items;
            this.message = h('div', {'aria-live': 'polite'});
            var rows = h('tbody', {'data-list': 'locks'}, $.map(got.items, function (lock, i) { return page.line(lock, i); }));
            this.place.empty().append(
                h('p.text-muted', {}, box.t('locks_help')), this.message,
                got.items.length ? T.table(box, ['product', 'locked', 'note', 'set_by', ''], rows) : h('p', {}, box.t('locks_none')),
                box.config.modify ? this.form() : null
            );
        },

        line: function (lock, i) {
            var page = this;
            var box = this.box;
            var product = h('span', {}, lock.target ? box.t('product_number', {id: lock.target}) : lock.source ? box.t('billz_product_id', {id: lock.source}) : box.t('all_products'));
            if (lock.target) {
                box.call('products', {id: lock.target}).done(function (found) {
                    if (found.length) {
                        product.text(found[0].name + ' · № ' + lock.target);
                    }
                });
            }
            return h('tr', {'data-lock': lock.target || lock.source || ''}, [
                T.cell(box, 'product', product),
                T.cell(box, 'locked', lock.fields.length ? $.map(lock.fields, function (field) { return box.word('field_', field); }).join(', ') : box.t('lock_whole')),
                T.cell(box, 'note', lock.note || '–'), T.cell(box, 'set_by', [h('div', {}, lock.who), h('small.text-muted', {}, box.time(lock.set_at))]),
                T.cell(box, '', box.config.modify ? box.button('default', 'unlock', box.t('button_unlock'), function () {
                    return page.save($.grep(page.items, function (other, j) { return j !== i; }), 'lock_gone');
                }, {'data-act': 'unlock'}).addClass('btn-sm') : null)
            ]);
        },

        form: function () {
            var page = this;
            var box = this.box;
            var scope = box.select([{value: 'one', text: box.t('lock_one')}, {value: 'all', text: box.t('all_products')}], 'one', {name: 'lock-scope'});
            var product = new T.Target(box, 'products', '');
            product.input.attr('data-setting', 'lock-product');
            var productField = box.field(box.t('column_product'), product.input);
            var note = h('input.form-control', {type: 'text', maxlength: 500, name: 'lock-note', autocomplete: 'off'});
            var fields = h('div', {role: 'group', 'aria-label': box.t('column_locked')}, $.map(FIELDS, function (field) {
                return h('label.checkbox-inline', {}, [h('input', {type: 'checkbox', value: field}), box.word('field_', field)]);
            }));
            scope.on('change', function () { productField.toggle(scope.val() === 'one'); });
            return h('div.well', {}, [
                h('div.row.tradesync-fields', {}, [
                    box.field(box.t('lock_what'), scope), productField,
                    h('div.form-group.col-sm-12', {}, [h('b', {}, box.t('column_locked')), fields, h('span.help-block', {}, box.t('lock_fields_help'))]),
                    box.field(box.t('column_note'), note, box.t('lock_note_help'), 'col-sm-12')
                ]),
                box.button('primary', 'lock', box.t('button_lock'), function () {
                    var lock = {fields: fields.find('input:checked').map(function () { return this.value; }).get(), note: $.trim(note.val())};
                    if (scope.val() === 'one' && product.value() === '') {
                        box.tell(page.message, 'warning', box.t('choose_product'));
                        return null;
                    }
                    if (scope.val() === 'all' && !lock.fields.length) {
                        box.tell(page.message, 'warning', box.t('lock_choose_fields'));
                        return null;
                    }
                    if (scope.val() === 'one') {
                        lock.target = product.value();
                    }
                    return page.save(page.items.concat([lock]), 'lock_set');
                }, {'data-act': 'lock'})
            ]);
        },

        /** All locks at once, as the service keeps them; its ETag tells when somebody else was quicker. */
        save: function (items, done) {
            var page = this;
            var box = this.box;
            var plain = $.map(items, function (lock) {
                var one = {fields: lock.fields, note: lock.note};
                if (lock.target) {
                    one.target = lock.target;
                } else if (lock.source) {
                    one.source = lock.source;
                }
                return one;
            });
            return box.call('saveLocks', {connection: this.connection, etag: this.etag, items: plain}).done(function (got) {
                page.draw(got);
                box.tell(page.message, 'success', box.t(done));
            }).fail(box.fail(this.message));
        }
    });

    /** Who did what, newest first; what stood before and after on demand. */
    pages.audit = function (box, place) {
        var rows = h('tbody', {'data-list': 'audit'});
        var more = h('div.text-center');
        var filter = box.select([{value: '', text: box.t('all')}].concat($.map(ACTS, function (act) { return {value: act, text: word(box, act)}; })), '', {name: 'audit-action'});
        var cursor = '';
        var asked = 0;
        place.append(
            h('p.text-muted', {}, box.t('audit_help')), h('div.tradesync-toolbar', {}, [box.field(box.t('column_act'), filter, null, 'tradesync-choice')]),
            T.table(box, ['when', 'who', 'act', 'whose', 'changes'], rows), more
        );
        var load = function (anew) {
            asked += 1;
            var turn = asked;
            if (anew) {
                cursor = '';
                rows.empty();
            }
            more.empty().append(box.spinner());
            return box.call('audit', {action: filter.val(), cursor: cursor || ''}).done(function (page) {
                if (turn !== asked) {
                    return;
                }
                more.empty();
                cursor = page.next_cursor;
                rows.append($.map(page.items, function (entry) { return line(box, entry); }));
                if (cursor) {
                    more.append(box.button('default', 'angle-down', box.t('button_more'), function () { return load(false); }));
                } else if (!rows.children().length) {
                    more.append(h('p.text-muted', {}, box.t('audit_none')));
                }
            }).fail(box.fail(more));
        };
        filter.on('change', function () { load(true); });
        load(true);
    };

    function word(box, act) {
        return box.word('act_', act.replace(/[.-]/g, '_'));
    }

    function line(box, entry) {
        var changes = differences(entry.before, entry.after);
        return h('tr', {'data-action': entry.action}, [
            T.cell(box, 'when', box.time(entry.at)), T.cell(box, 'who', [h('div', {}, entry.who || entry.key_name), entry.who ? h('small.text-muted', {}, entry.key_name) : null]),
            T.cell(box, 'act', word(box, entry.action)), T.cell(box, 'whose', entry.whose || '–'),
            T.cell(box, 'changes', changes.length ? h('details', {}, [
                h('summary.tradesync-more', {}, [icon('list'), ' ', box.t('fields_count', {count: changes.length})]), $.map(changes, function (change) {
                    return h('div.tradesync-change', {}, [
                        h('span.text-muted', {}, label(box, change.name) + ': '),
                        change.before === undefined ? null : [h('span.tradesync-old', {}, box.value(change.before)), ' → '],
                        h('b', {}, change.after === undefined ? '–' : box.value(change.after))
                    ]);
                }), h('small.text-muted.tradesync-key', {}, entry.resource)
            ]) : h('small.text-muted.tradesync-key', {}, entry.resource))
        ]);
    }

    /** A field as the form calls it, with the service's own name; the name alone where no form shows it. */
    function label(box, name) {
        var parts = name.replace(/^(settings|secrets)\./, '').split('.');
        var text = box.texts['set_' + parts[0]] || box.texts['field_' + parts[parts.length - 1]];
        return text ? text + ' (' + name + ')' : name;
    }

    /** Both sides of a change as a list of fields: {a: {b: 1}} is `a.b`. */
    function differences(before, after) {
        var found = {};
        var names = [];
        var walk = function (side, value, path) {
            if ($.isPlainObject(value)) {
                $.each(value, function (name, inner) { walk(side, inner, path.concat([name])); });
                return;
            }
            if (value === null && !path.length) {
                return;
            }
            var name = path.join('.') || '·';
            if (!found[name]) {
                found[name] = {name: name};
                names.push(name);
            }
            found[name][side] = value;
        };
        walk('before', before, []);
        walk('after', after, []);
        return $.map(names, function (name) { return found[name]; });
    }
}(window.jQuery, window));
