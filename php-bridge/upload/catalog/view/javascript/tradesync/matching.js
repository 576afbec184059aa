/*
 * Category mapping and links of goods: where the administrator says what of Billz is what of the shop.
 */
(function ($, window) {
    'use strict';

    var T = window.Tradesync;
    var h = T.h;
    var icon = T.icon;
    var pages = T.pages = T.pages || {};

    /**
     * A search field over the shop's categories or products (`action`). Its value is the chosen id; '' while nothing is chosen.
     */
    function Target(box, action, value, name) {
        var target = this;
        var timer = null;
        this.chosen = value === null || value === undefined ? '' : String(value);
        this.hits = h('div.list-group.tradesync-hits', {role: 'listbox'}).hide();
        this.field = h('input.form-control.input-sm', {type: 'search', autocomplete: 'off', role: 'combobox', 'aria-expanded': 'false', 'aria-label': box.t('search_' + action), placeholder: box.t('search_' + action), value: name || ''});
        this.input = h('div.tradesync-target', {}, [this.field, this.hits]);
        this.changed = $.noop;
        if (this.chosen !== '' && !name) {
            this.field.val('№ ' + this.chosen);
            box.call(action, {id: this.chosen}).done(function (found) {
                if (found.length) {
                    target.field.val(found[0].name);
                }
            });
        }
        // Counts what was asked and closed: a late answer to an earlier question opens nothing.
        var turn = 0;
        var close = function () {
            turn += 1;
            target.hits.hide().empty();
            target.field.attr('aria-expanded', 'false');
        };
        var search = function () {
            turn += 1;
            var asked = turn;
            box.call(action, {search: $.trim(target.field.val())}).done(function (found) {
                if (asked !== turn) {
                    return;
                }
                target.hits.empty().append($.map(found, function (one) {
                    return h('button.list-group-item', {type: 'button', role: 'option', onmousedown: function (event) {
                        // Before the field loses the focus and closes the list.
                        event.preventDefault();
                        window.clearTimeout(timer);
                        target.pick(one.id, one.name);
                        close();
                    }, onclick: function () {
                        target.pick(one.id, one.name);
                        close();
                    }}, [one.name, ' ', h('small.text-muted', {}, '№ ' + one.id)]);
                }));
                if (!found.length) {
                    target.hits.append(h('div.list-group-item.text-muted', {}, box.t('nothing_found')));
                }
                target.hits.show();
                target.field.attr('aria-expanded', 'true');
            });
        };
        this.field.on('input', function () {
            target.chosen = '';
            target.changed();
            window.clearTimeout(timer);
            timer = window.setTimeout(search, 250);
        }).on('focus', search).on('keydown', function (event) {
            if (event.which === 27) {
                close();
            } else if (event.which === 40) {
                target.hits.find('button').first().trigger('focus');
                event.preventDefault();
            }
        }).on('blur', function () {
            window.setTimeout(function () {
                if (!target.hits.find(':focus').length) {
                    close();
                }
            }, 200);
        });
    }
    Target.prototype.value = function () { return this.chosen; };
    Target.prototype.pick = function (id, name) {
        this.chosen = String(id);
        this.field.val(name);
        this.changed();
    };
    T.Target = Target;

    pages.mapping = function (box, place) {
        T.chooseConnection(box, place, function (connection, content) {
            new Mapping(box, connection, content);
        });
    };

    function Mapping(box, connection, place) {
        this.box = box;
        this.connection = connection;
        this.place = place;
        this.all = false;
        this.load();
    }

    $.extend(Mapping.prototype, {
        load: function () {
            var page = this;
            var box = this.box;
            this.place.empty().append(box.spinner());
            return $.when(box.call('mappings', {connection: this.connection}), box.call('unmapped', {connection: this.connection, all: this.all})).done(function (mappings, unmapped) {
                page.etag = mappings.etag;
                page.draw(mappings.items, unmapped);
            }).fail(function (error) {
                page.place.empty();
                box.tell(page.place, 'danger', error.text, error.detail);
            });
        },

        draw: function (items, unmapped) {
            var page = this;
            var box = this.box;
            var waiting = 0;
            var filter = h('input.form-control', {type: 'search', autocomplete: 'off'});
            this.message = h('div', {'aria-live': 'polite'});
            this.lines = [];
            var inbox = h('tbody', {'data-list': 'unmapped'}, $.map(unmapped, function (row) {
                waiting += row.count;
                return page.line(row.source, row.source_name, '', '', row);
            }));
            var own = $.grep(items, function (item) { return !item.inherited; });
            var inherited = $.grep(items, function (item) { return item.inherited; });
            var mapped = h('tbody', {'data-list': 'mapped'}, $.map(own, function (item) {
                return page.line(item.source, item.source_name, item.target, item.target_name, null);
            }).concat($.map(inherited, function (item) {
                return h('tr.text-muted', {'data-name': item.source_name.toLowerCase()}, [
                    T.cell(box, 'billz_category', item.source_name), T.cell(box, 'count', ''), T.cell(box, 'shop_category', [icon('level-up fa-rotate-90'), ' ', item.target_name || box.t('category_gone'), ' ', h('small', {}, box.t('inherited'))])
                ]);
            })));
            filter.on('input', function () {
                var words = filter.val().toLowerCase();
                page.place.find('tr[data-name]').each(function () { $(this).toggle($(this).attr('data-name').indexOf(words) >= 0); });
            });
            this.place.empty().append(
                h('p.text-muted', {}, box.t('mapping_help')),
                h('div.tradesync-toolbar', {}, [box.field(box.t('search_category_billz'), filter, null, 'tradesync-choice')]),
                h('label.tradesync-all', {}, [h('input', {type: 'checkbox', checked: this.all, onchange: function () {
                    page.all = this.checked;
                    page.load();
                }}), ' ', box.t('all_categories')]),
                h('h4', {}, [icon('inbox'), ' ', box.t('unmapped', {categories: box.number(unmapped.length), goods: box.number(waiting)})]),
                unmapped.length ? T.table(box, ['billz_category', 'count', 'shop_category'], inbox) : h('p.text-success', {}, [icon('check'), ' ', box.t('unmapped_none')]),
                h('h4', {}, box.t('mapped', {count: box.number(own.length)})),
                items.length ? T.table(box, ['billz_category', 'count', 'shop_category'], mapped) : h('p.text-muted', {}, box.t('mapped_none')),
                this.message,
                box.config.modify ? h('div.tradesync-sticky', {}, [
                    box.button('primary', 'save', box.t('button_save'), function () { return page.save(); }, {'data-act': 'save-mapping'}), ' ',
                    box.button('default', 'magic', box.t('button_take_proposals'), function () { page.takeProposals(); })
                ]) : null
            );
        },

        line: function (source, name, target, targetName, row) {
            var page = this;
            var box = this.box;
            var choice = new Target(box, 'categories', target, target === '' ? '' : targetName || box.t('category_gone') + ' (№ ' + target + ')');
            var line = {source: source, name: name, choice: choice, best: null};
            var proposals = $.map(row ? row.proposals : [], function (proposal, i) {
                if (i === 0 && proposal.score >= 0.8) {
                    line.best = proposal;
                }
                return [h('button.btn.btn-default.btn-xs', {type: 'button', 'data-proposal': proposal.target, onclick: function () { choice.pick(proposal.target, proposal.name); }}, [
                    icon('lightbulb-o'), ' ', proposal.name, ' ', h('small.text-muted', {}, Math.round(proposal.score * 100) + ' %')
                ]), ' '];
            });
            this.lines.push(line);
            choice.input.append(row ? null : h('button.btn.btn-link.btn-xs', {type: 'button', 'aria-label': box.t('button_remove') + ': ' + name, onclick: function () {
                choice.pick('', '');
            }}, [icon('times')]));
            return h('tr', {'data-name': name.toLowerCase(), 'data-source': source}, [
                T.cell(box, 'billz_category', name || box.t('no_category')), T.cell(box, 'count', row ? box.number(row.count) : ''),
                T.cell(box, 'shop_category', [choice.input, proposals.length ? h('div', {}, proposals) : null])
            ]);
        },

        takeProposals: function () {
            var taken = 0;
            $.each(this.lines, function (i, line) {
                if (line.best && line.choice.value() === '') {
                    line.choice.pick(line.best.target, line.best.name);
                    taken += 1;
                }
            });
            this.box.tell(this.message, 'info', this.box.t(taken ? 'proposals_taken' : 'proposals_none', {count: taken}));
        },

        save: function () {
            var page = this;
            var box = this.box;
            var items = $.map(this.lines, function (line) {
                return line.choice.value() === '' ? null : {source: line.source, source_name: line.name, target: line.choice.value()};
            });
            return box.call('saveMappings', {connection: this.connection, etag: this.etag, items: items}).then(function () {
                return page.load();
            }).done(function () {
                box.tell(page.message, 'success', box.t('mapping_saved'));
            }).fail(function (error) { box.tell(page.message, 'danger', error.text, error.detail); });
        }
    });

    pages.links = function (box, place) {
        T.chooseConnection(box, place, function (connection, content) {
            new Links(box, connection, content, 'proposed');
        });
    };

    function Links(box, connection, place, state) {
        this.box = box;
        this.connection = connection;
        this.place = place;
        this.state = state;
        this.draw();
    }

    $.extend(Links.prototype, {
        draw: function () {
            var page = this;
            var box = this.box;
            this.message = h('div', {'aria-live': 'polite'});
            this.rows = h('tbody');
            this.more = h('div.text-center');
            this.all = h('input', {type: 'checkbox', 'aria-label': box.t('choose_all'), onchange: function () {
                page.rows.find('input[type=checkbox]').prop('checked', page.all.prop('checked'));
            }});
            this.place.empty().append(
                h('p.text-muted', {}, box.t('links_help')),
                h('div.btn-group.tradesync-filters', {role: 'group', 'aria-label': box.t('filter')}, $.map(['proposed', 'ambiguous', 'linked'], function (state) {
                    return h('button.btn.btn-default' + (state === page.state ? '.active' : ''), {type: 'button', 'data-state': state, onclick: function () {
                        page.state = state;
                        page.draw();
                    }}, box.t('link_' + state));
                })),
                this.message,
                box.config.modify && this.state === 'proposed' ? h('div.tradesync-toolbar', {}, [
                    h('label', {}, [this.all, ' ', box.t('choose_all')]),
                    box.button('primary', 'check', box.t('button_confirm_chosen'), function () { return page.confirmChosen(); }, {'data-act': 'confirm-links'})
                ]) : null,
                T.table(box, [this.state === 'proposed' && box.config.modify ? '' : null, 'billz_product', 'shop_product', ''].filter(function (column) { return column !== null; }), this.rows), this.more
            );
            this.cursor = '';
            this.load();
        },

        load: function () {
            var page = this;
            var box = this.box;
            this.more.empty().append(box.spinner());
            return box.call('links', {connection: this.connection, state: this.state, cursor: this.cursor}).done(function (got) {
                page.more.empty();
                page.cursor = got.next_cursor;
                page.rows.append($.map(got.items, function (link) { return page.line(link); }));
                if (page.cursor) {
                    page.more.append(box.button('default', 'angle-down', box.t('button_more'), function () { return page.load(); }));
                } else if (!page.rows.children().length) {
                    page.more.append(h('p.text-muted', {}, box.t('links_none')));
                }
            }).fail(box.fail(this.more));
        },

        line: function (link) {
            var page = this;
            var box = this.box;
            var row = h('tr', {'data-source': link.source});
            var of = {connection: this.connection, source: link.source};
            var gone = function (going) {
                return going.done(function () { row.remove(); }).fail(box.fail(page.message));
            };
            var confirm = function (target) {
                return gone(box.call('confirmLink', $.extend({target: target, once: T.once()}, of)));
            };
            var other = new Target(box, 'products', '');
            // `sku=EL-10000`: which key, and its value.
            var matched = function (key) {
                var cut = (key + '=').indexOf('=');
                return box.word('key_', key.slice(0, cut)) + ' ' + key.slice(cut + 1);
            };
            var candidates = $.map(link.candidates, function (candidate) {
                return h('div', {}, [candidate.name, ' ', h('small.text-muted', {}, '№ ' + candidate.target + ' · ' + $.map(candidate.matched, matched).join(', ')), ' ',
                    box.config.modify ? box.button('success', 'check', box.t('button_confirm'), function () { return confirm(candidate.target); }).addClass('btn-xs') : null]);
            });
            row.append(
                this.state === 'proposed' && box.config.modify ? h('td', {}, h('input', {type: 'checkbox', value: link.source, 'data-target': link.candidates[0] ? link.candidates[0].target : link.target, 'aria-label': link.name || link.source})) : null,
                T.cell(box, 'billz_product', [h('div', {}, link.name || link.source), h('small.text-muted', {}, link.source)]),
                T.cell(box, 'shop_product', link.state === 'linked' ? [box.t('product_number', {id: link.target}), ' ', h('small.text-muted', {}, box.word('origin_', link.origin))] : candidates),
                T.cell(box, '', box.config.modify ? [
                    h('details', {}, [h('summary', {}, box.t('other_product')), other.input, box.button('default', 'link', box.t('button_link'), function () {
                        if (other.value() === '') {
                            box.tell(page.message, 'warning', box.t('choose_product'));
                            return null;
                        }
                        return gone(box.call('setLink', $.extend({target: other.value()}, of)));
                    }).addClass('btn-sm')]),
                    link.state === 'linked' ? box.button('link', 'unlink', box.t('button_unlink'), function () {
                        return gone(box.call('removeLink', of));
                    }).addClass('btn-xs') : null
                ] : null)
            );
            return row;
        },

        confirmChosen: function () {
            var page = this;
            var box = this.box;
            var chosen = this.rows.find('input:checked').get();
            var done = 0;
            var failed = [];
            return T.each(chosen, 4, function (input) {
                return box.call('confirmLink', {connection: page.connection, source: input.value, target: $(input).attr('data-target'), once: T.once()}).done(function () {
                    done += 1;
                    $(input).closest('tr').remove();
                }).fail(function (error) { failed.push(error); });
            }).done(function () {
                page.all.prop('checked', false);
                var text = box.t('links_confirmed', {count: box.number(done)});
                box.tell(page.message, failed.length ? 'warning' : 'success', failed.length ? text + ' ' + box.t('links_failed', {count: failed.length}) + ' ' + failed[0].text : text, failed.length ? failed[0].detail : '');
                if (!page.rows.children().length) {
                    page.load();
                }
            });
        }
    });
}(window.jQuery, window));
