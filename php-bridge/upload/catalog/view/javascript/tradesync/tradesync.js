/*
 * What the seller's panel and the administrator's pages share: requests, texts, times, dialogs, progress and the report of a run.
 * Plain JavaScript on the jQuery and Bootstrap 3 that OpenCart 3 ships; nothing is built.
 */
(function ($, window) {
    'use strict';

    if (window.Tradesync) {
        return;
    }

    var LIVE = {queued: true, running: true};
    var OUTCOMES = ['created', 'updated', 'unchanged', 'skipped', 'failed', 'held'];
    var LOOKS = {
        queued: 'info', running: 'info', succeeded: 'success', partial: 'warning', awaiting_approval: 'warning', failed: 'danger',
        cancelled: 'default', created: 'success', updated: 'primary', unchanged: 'default', skipped: 'default', held: 'warning'
    };
    var serial = 0;

    /**
     * One widget or page: its configuration (data-tradesync of its element) and everything that needs texts or requests.
     */
    function Box(root) {
        this.root = $(root);
        this.config = JSON.parse(this.root.attr('data-tradesync'));
        this.texts = this.config.texts;
    }

    /** Element `tag.class.class` with attributes and children (elements, texts, lists; null is passed over). Texts are never HTML. */
    function h(what, attributes, children) {
        var parts = what.split('.');
        var element = $(document.createElement(parts[0] || 'div'));
        if (parts.length > 1) {
            element.addClass(parts.slice(1).join(' '));
        }
        $.each(attributes || {}, function (name, value) {
            if (name.indexOf('on') === 0) {
                element.on(name.slice(2), value);
            } else if (value === true) {
                element.prop(name, true);
            } else if (value !== null && value !== undefined && value !== false) {
                element.attr(name, value);
            }
        });
        add(element, children);
        return element;
    }

    function add(element, children) {
        if (children === null || children === undefined || children === false) {
            return;
        }
        if ($.isArray(children)) {
            $.each(children, function (i, child) { add(element, child); });
        } else if (children instanceof $) {
            element.append(children);
        } else {
            element.append(document.createTextNode(String(children)));
        }
    }

    function icon(name) {
        return h('i.fa.fa-' + name, {'aria-hidden': 'true'});
    }

    function uid(prefix) {
        serial += 1;
        return 'tradesync-' + prefix + '-' + serial;
    }

    /** A fresh Idempotency-Key: one per click, so that a repeat after a lost answer is the same act. */
    function once() {
        var bytes = new Uint8Array(16);
        window.crypto.getRandomValues(bytes);
        return $.map(bytes, function (byte) { return ('0' + byte.toString(16)).slice(-2); }).join('');
    }

    $.extend(Box.prototype, {
        /** A text with its `{name}` filled in. */
        t: function (key, values) {
            var text = this.texts[key];
            if (text === undefined) {
                return key;
            }
            return text.replace(/\{(\w+)\}/g, function (whole, name) {
                return values && values[name] !== undefined && values[name] !== null ? values[name] : '–';
            });
        },

        /** The text of a key if there is one, else the raw word. */
        word: function (prefix, word) {
            var text = this.texts[prefix + word];
            return text === undefined ? String(word) : text;
        },

        /**
         * Asks PHP for an action; fails with {text, detail, code, run}. `where` names another address of the configuration.
         */
        call: function (action, values, where) {
            var box = this;
            var answer = $.Deferred();
            var address = this.config[where || 'api'];
            $.ajax({
                url: address + (address.indexOf('?') < 0 ? '?' : '&') + 'do=' + encodeURIComponent(action),
                type: 'POST', contentType: 'application/json', dataType: 'json', timeout: 60000,
                headers: this.config.token ? {'X-Tradesync-Token': this.config.token} : {},
                data: JSON.stringify(values || {})
            }).done(function (got) {
                if (got && got.ok) {
                    answer.resolve(got.data);
                } else {
                    answer.reject(got && got.error ? got.error : {code: 'page', text: box.t('error_page'), detail: ''});
                }
            }).fail(function (xhr) {
                var error = xhr.responseJSON && xhr.responseJSON.error;
                // A login page instead of JSON: the session has ended.
                var text = xhr.status === 0 ? box.t('error_network') : box.t('error_page');
                answer.reject(error || {code: 'page', text: text, detail: xhr.status ? 'HTTP ' + xhr.status : ''});
            });
            return answer.promise();
        },

        number: function (value) {
            return typeof value === 'number' ? value.toLocaleString(this.config.language) : String(value);
        },

        /** A moment in the reader's own time zone. */
        time: function (iso) {
            if (!iso) {
                return this.t('never');
            }
            var moment = new Date(iso);
            var two = function (n) { return (n < 10 ? '0' : '') + n; };
            return two(moment.getDate()) + '.' + two(moment.getMonth() + 1) + '.' + moment.getFullYear() + ' ' +
                two(moment.getHours()) + ':' + two(moment.getMinutes());
        },

        /** How long ago, or in how long. */
        ago: function (iso) {
            if (!iso) {
                return '';
            }
            var seconds = (Date.now() - new Date(iso).getTime()) / 1000;
            var ahead = seconds < 0;
            seconds = Math.abs(seconds);
            var text = seconds < 60 ? this.t('less_than_a_minute') :
                seconds < 5400 ? this.t('minutes', {n: Math.round(seconds / 60)}) :
                    seconds < 129600 ? this.t('hours', {n: Math.round(seconds / 3600)}) : this.t('n_days', {n: Math.round(seconds / 86400)});
            return this.t(ahead ? 'in_time' : 'ago', {time: text});
        },

        when: function (iso) {
            return iso ? this.time(iso) + ' (' + this.ago(iso) + ')' : this.t('never');
        },

        /** A coloured word for a state of a run or an outcome of an item. */
        badge: function (prefix, word) {
            return h('span.label.label-' + (LOOKS[word] || 'default') + '.tradesync-badge', {'data-word': word}, this.word(prefix, word));
        },

        stateOf: function (run) {
            return run.dry_run && run.state === 'awaiting_approval'
                ? h('span.label.label-info.tradesync-badge', {'data-word': 'preview'}, this.t('state_preview'))
                : this.badge('state_', run.state);
        },

        counts: function (counts) {
            var box = this;
            var shown = $.grep(OUTCOMES, function (outcome) { return counts[outcome] > 0; });
            return h('span.tradesync-counts', {}, $.map(shown, function (outcome) {
                return h('span.tradesync-count.tradesync-' + outcome, {}, [h('b', {}, box.number(counts[outcome])), ' ' + box.t('count_' + outcome)]);
            }));
        },

        /** Puts a message into a place, in place of the one before. */
        tell: function (place, look, text, detail) {
            place.empty();
            if (!text) {
                return;
            }
            var sign = {danger: 'exclamation-circle', warning: 'exclamation-triangle', success: 'check-circle', info: 'info-circle'}[look];
            place.append(h('div.alert.alert-' + look + '.tradesync-alert', {role: look === 'danger' ? 'alert' : 'status'}, [
                icon(sign), ' ', text, detail && detail !== text ? h('div.tradesync-detail', {}, detail) : null
            ]));
        },

        fail: function (place) {
            var box = this;
            return function (error) {
                box.tell(place, 'danger', error.text, error.detail);
            };
        },

        /** A button that cannot be pressed twice while its work goes on. `work` returns a promise. */
        button: function (look, sign, text, work, attributes) {
            var button = h('button.btn.btn-' + look, $.extend({type: 'button'}, attributes), [sign ? icon(sign) : null, sign ? ' ' : null, text]);
            button.on('click', function () {
                var going = work();
                if (going && going.always) {
                    button.prop('disabled', true).addClass('tradesync-busy');
                    going.always(function () { button.prop('disabled', false).removeClass('tradesync-busy'); });
                }
            });
            return button;
        },

        /** A labelled field. `input` gets its id; `help` stands below. */
        field: function (label, input, help, wide) {
            // A search field stands among its hits; the label is the name of the field itself, not of what it searches in.
            var control = input.is('input, select, textarea') ? input : input.find('input').first().removeAttr('aria-label');
            var id = control.attr('id') || uid('field');
            control.attr('id', id);
            var helper = help ? h('span.help-block', {id: id + '-help'}, help) : null;
            if (helper) {
                control.attr('aria-describedby', id + '-help');
            }
            return h('div.form-group.' + (wide || 'col-sm-6'), {}, [h('label.control-label', {'for': id}, label), input, helper]);
        },

        select: function (options, value, attributes) {
            var select = h('select.form-control', attributes, $.map(options, function (option) {
                return h('option', {value: option.value}, option.text);
            }));
            return select.val(value === null || value === undefined ? '' : String(value));
        },

        /** A dialog; closing it removes it. `foot` may be null. */
        dialog: function (title, body, foot, large) {
            var id = uid('dialog');
            var dialog = h('div.modal.fade.tradesync', {tabindex: '-1', role: 'dialog', 'aria-labelledby': id}, [
                h('div.modal-dialog' + (large ? '.modal-lg' : ''), {role: 'document'}, [
                    h('div.modal-content', {}, [
                        h('div.modal-header', {}, [
                            h('button.close', {type: 'button', 'data-dismiss': 'modal', 'aria-label': this.t('close')}, [h('span', {'aria-hidden': 'true'}, '×')]),
                            h('h4.modal-title', {id: id}, title)
                        ]),
                        h('div.modal-body', {}, body),
                        foot ? h('div.modal-footer', {}, foot) : null
                    ])
                ])
            ]);
            dialog.appendTo(document.body).on('hidden.bs.modal', function () {
                dialog.remove();
                if ($('.modal.in').length) {
                    $('body').addClass('modal-open');
                }
            });
            dialog.modal('show');
            return dialog;
        },

        /** Asks before something that cannot be taken back; resolves when the person agrees. */
        ask: function (question, yes, look) {
            var box = this;
            var answer = $.Deferred();
            var agree = h('button.btn.btn-' + (look || 'primary') + '.tradesync-agree', {type: 'button'}, yes);
            var dialog = this.dialog(this.t('sure'), [h('p', {}, question)], [
                h('button.btn.btn-default', {type: 'button', 'data-dismiss': 'modal'}, box.t('button_back')), agree
            ]);
            agree.on('click', function () {
                answer.resolve();
                dialog.modal('hide');
            });
            dialog.on('hidden.bs.modal', function () { answer.reject({text: ''}); });
            return answer.promise();
        },

        spinner: function () {
            return h('p.text-muted.tradesync-loading', {role: 'status'}, [icon('spinner fa-spin'), ' ', this.t('loading')]);
        },

        isLive: function (run) {
            return !!(run && LIVE[run.state]);
        },

        /** How far a run is, 0 to 100: reading is the long part, so it gets most of the bar. */
        percent: function (run) {
            var progress = run.progress;
            if (!LIVE[run.state]) {
                return 100;
            }
            if (run.phase === 'read') {
                return progress.total ? Math.min(60, 3 + Math.round(57 * progress.read / progress.total)) : 3;
            }
            if (run.phase === 'decide') {
                return 65;
            }
            var wanted = run.counts.created + run.counts.updated;
            return run.phase === 'apply' ? 70 + Math.min(25, wanted ? Math.round(25 * progress.applied / wanted) : 0) : 97;
        },

        progressText: function (run) {
            var progress = run.progress;
            if (run.state === 'queued') {
                return run.not_before ? this.t('progress_waits', {time: this.time(run.not_before)}) : this.t('progress_queued');
            }
            if (run.phase === 'read') {
                return progress.total
                    ? this.t('progress_read', {read: this.number(progress.read), total: this.number(progress.total)})
                    : this.t('progress_login');
            }
            if (run.phase === 'decide') {
                return this.t('progress_decide', {read: this.number(progress.read)});
            }
            return this.t('progress_apply', {applied: this.number(progress.applied)});
        },

        /** Polls a run until it ends; `changed(run)` at every look. Resolves with the ended run. */
        follow: function (id, changed) {
            var box = this;
            var ended = $.Deferred();
            var misses = 0;
            var began = Date.now();
            (function look() {
                box.call('run', {run: id}).done(function (run) {
                    misses = 0;
                    changed(run);
                    if (!LIVE[run.state]) {
                        ended.resolve(run);
                        return;
                    }
                    window.setTimeout(look, Date.now() - began < 60000 ? 1000 : 3000);
                }).fail(function (error) {
                    misses += 1;
                    if (misses > 5 || error.code === 'not-found') {
                        ended.reject(error);
                        return;
                    }
                    window.setTimeout(look, 2000 * misses);
                });
            }());
            return ended.promise();
        },

        /** A value of a report as people write it. */
        value: function (value) {
            var box = this;
            if (value === null || value === undefined || value === '') {
                return '–';
            }
            if (value === true || value === false) {
                return this.t(value ? 'yes' : 'no');
            }
            if ($.isArray(value)) {
                return $.map(value, function (one) { return box.value(one); }).join(', ') || '–';
            }
            if (typeof value === 'object') {
                return $.map(value, function (one, key) { return box.word('field_', key) + ': ' + box.value(one); }).join('; ');
            }
            // Descriptions are HTML; a report shows their words, and not all of them.
            var text = String(value).replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
            return text.length > 160 ? text.slice(0, 150) + '…' : text;
        },

        /** Why a run ended as it did, in a place; nothing if all went well. */
        explainRun: function (place, run) {
            if (run.error) {
                this.tell(place, run.state === 'failed' ? 'danger' : 'info', this.word('fault_', run.error.code.replace(/-/g, '_')) === run.error.code.replace(/-/g, '_')
                    ? run.error.detail : this.word('fault_', run.error.code.replace(/-/g, '_')), run.error.detail);
            } else {
                place.empty();
            }
        },

        /**
         * The report of a run in a dialog: filters, old and new values, reasons, CSV; approve, reject, undo and retry where they make sense.
         * `changed()` is called when the run was acted upon.
         */
        report: function (run, changed) {
            new window.Tradesync.Report(this, run, changed || $.noop);
        }
    });

    window.Tradesync = {Box: Box, h: h, icon: icon, once: once, uid: uid, OUTCOMES: OUTCOMES};
}(window.jQuery, window));
