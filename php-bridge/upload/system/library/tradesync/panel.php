<?php

namespace Tradesync;

/**
 * What a seller may do: the requests behind the panel, one method each.
 *
 * Whose things they are is fixed by the client (X-On-Behalf-Of, from the session); ids come from the browser and are not trusted: for an id
 * of somebody else the service answers `not-found`.
 */
final class Panel
{
    public const FLOW = 'billz-opencart';

    /** Action => whether it changes something (and so needs the right to modify). */
    public const ACTIONS = [
        'state' => false, 'shop' => false, 'run' => false, 'runs' => false, 'items' => false, 'explain' => false, 'schedules' => false,
        'scheduleRuns' => false, 'retryList' => false,
        'discover' => true, 'addShop' => true, 'renameShop' => true, 'removeShop' => true,
        'sync' => true, 'approve' => true, 'reject' => true, 'cancel' => true, 'undo' => true, 'retryFailed' => true,
        'saveSchedule' => true, 'deleteSchedule' => true, 'startSchedule' => true, 'stopSchedule' => true,
        'retry' => true, 'dismiss' => true,
    ];

    /** Outcomes that a report can be narrowed to; '' = all. */
    private const OUTCOMES = ['', 'created', 'updated', 'unchanged', 'skipped', 'failed', 'held'];

    /** @var Client */
    private $client;

    public function __construct(Client $client)
    {
        $this->client = $client;
    }

    /**
     * Does one of ACTIONS.
     *
     * @return \stdClass|array|null what the browser gets
     *
     * @throws Problem
     */
    public function act(string $action, Input $in)
    {
        if (!isset(self::ACTIONS[$action])) {
            throw new Problem(Problem::BAD_INPUT, 'no such action');
        }

        return $this->$action($in);
    }

    /**
     * Writes a run's report as CSV into a stream.
     *
     * @param resource $into
     *
     * @throws Problem
     */
    public function csv(Input $in, $into): void
    {
        $path = Client::path('sync', 'runs', $in->id('run'), 'items.csv');
        $this->client->download($path, ['outcome' => $in->oneOf('outcome', self::OUTCOMES)], $into);
    }

    private function state(Input $in): array
    {
        $connections = $this->client->all('/connections', ['flow' => self::FLOW]);
        $answer = [];
        foreach ($connections as $connection) {
            $answer[] = [
                'id' => $connection->id,
                'name' => $connection->name,
                'api' => $connection->settings->api ?? 'billz2',
                'enabled' => $connection->enabled,
                'shops' => $this->client->get(Client::path('connections', $connection->id, 'streams'))->body->items,
            ];
        }

        return ['connections' => $answer];
    }

    /** One shop with all that its bar shows: dates, last runs, schedules, how many goods wait to be tried again. */
    private function shop(Input $in): array
    {
        $of = ['connection' => $in->id('connection'), 'stream' => $in->needed('stream')];

        return [
            'shop' => $this->client->get(Client::path('connections', $of['connection'], 'streams', $of['stream']))->body,
            'runs' => $this->client->get('/sync/runs', $of + ['limit' => 20])->body->items,
            'schedules' => $this->client->get('/schedules', $of)->body->items,
            'retry' => count($this->client->get('/sync/retry-list', $of + ['state' => 'waiting', 'limit' => 200])->body->items),
        ];
    }

    private function discover(Input $in): array
    {
        return $this->client->patient()->post(Client::path('connections', $in->id('connection'), 'streams', 'discover'))->body->items;
    }

    private function addShop(Input $in)
    {
        $stream = $in->needed('stream');
        $body = ['stream' => $stream, 'name' => $in->text('name', 255) ?: $stream];

        return $this->client->post(Client::path('connections', $in->id('connection'), 'streams'), $body, $in->id('once', false))->body;
    }

    private function renameShop(Input $in)
    {
        $path = Client::path('connections', $in->id('connection'), 'streams', $in->needed('stream'));

        return $this->client->change('PATCH', $path, ['name' => $in->needed('name', 255)])->body;
    }

    private function removeShop(Input $in): array
    {
        $this->client->change('DELETE', Client::path('connections', $in->id('connection'), 'streams', $in->needed('stream')));

        return [];
    }

    private function sync(Input $in)
    {
        $body = [
            'connection' => $in->id('connection'),
            'stream' => $in->needed('stream'),
            'mode' => $in->oneOf('mode', ['incremental', 'full']),
            'dry_run' => $in->flag('dry_run'),
        ];

        return $this->client->post(Client::path('sync', self::FLOW), $body, $in->id('once', false))->body;
    }

    private function run(Input $in)
    {
        return $this->client->get(Client::path('sync', 'runs', $in->id('run')))->body;
    }

    private function runs(Input $in)
    {
        $query = [
            'flow' => self::FLOW,
            'connection' => $in->id('connection', false),
            'stream' => $in->text('stream', 191),
            'state' => $in->id('state', false),
            'cursor' => $in->text('cursor'),
            'limit' => 20,
        ];

        return $this->client->get('/sync/runs', $query)->body;
    }

    private function items(Input $in)
    {
        $query = ['outcome' => $in->oneOf('outcome', self::OUTCOMES), 'cursor' => $in->text('cursor'), 'limit' => 50];

        return $this->client->get(Client::path('sync', 'runs', $in->id('run'), 'items'), $query)->body;
    }

    private function explain(Input $in): array
    {
        $query = ['connection' => $in->id('connection'), 'item' => $in->needed('item')];
        $told = $this->client->patient()->get('/sync/explain', $query)->body;

        return array_map(function ($reason) {
            return $reason->text;
        }, $told->answer);
    }

    private function approve(Input $in)
    {
        return $this->onRun($in, 'approve');
    }

    private function reject(Input $in)
    {
        return $this->onRun($in, 'reject');
    }

    private function cancel(Input $in)
    {
        return $this->onRun($in, 'cancel');
    }

    private function undo(Input $in)
    {
        return $this->onRun($in, 'undo');
    }

    private function retryFailed(Input $in)
    {
        return $this->onRun($in, 'retry-failed');
    }

    private function onRun(Input $in, string $what)
    {
        return $this->client->post(Client::path('sync', 'runs', $in->id('run'), $what), null, $in->id('once', false))->body;
    }

    /** Schedules of a shop, each with its next due times. */
    private function schedules(Input $in): array
    {
        $of = ['connection' => $in->id('connection'), 'stream' => $in->needed('stream')];
        $schedules = $this->client->get('/schedules', $of)->body->items;
        foreach ($schedules as $schedule) {
            $schedule->next = $schedule->enabled
                ? $this->client->get(Client::path('schedules', $schedule->id, 'next'), ['n' => 5])->body->items
                : [];
        }

        return $schedules;
    }

    private function saveSchedule(Input $in)
    {
        $rule = [
            'every' => $in->text('every', 20) ?: null,
            'cron' => $in->text('cron', 100) ?: null,
            'timezone' => $in->needed('timezone', 64),
            'days' => $in->list('days') ?: null,
            'window' => $in->text('from', 5) === '' ? null : ['from' => $in->text('from', 5), 'to' => $in->text('to', 5)],
            'mode' => $in->oneOf('mode', ['incremental', 'full']),
            'catch_up' => $in->oneOf('catch_up', ['once', 'skip']),
        ];
        // One of the two; null would say "none" of both.
        unset($rule[$rule['cron'] === null ? 'cron' : 'every']);
        $id = $in->id('id', false);
        if ($id !== '') {
            return $this->client->change('PATCH', Client::path('schedules', $id), $rule)->body;
        }
        $rule += ['connection' => $in->id('connection'), 'stream' => $in->needed('stream'), 'enabled' => true];

        return $this->client->post('/schedules', $rule, $in->id('once', false))->body;
    }

    private function deleteSchedule(Input $in): array
    {
        $this->client->change('DELETE', Client::path('schedules', $in->id('id')));

        return [];
    }

    private function startSchedule(Input $in)
    {
        return $this->client->post(Client::path('schedules', $in->id('id'), 'start'))->body;
    }

    private function stopSchedule(Input $in)
    {
        return $this->client->post(Client::path('schedules', $in->id('id'), 'stop'))->body;
    }

    private function scheduleRuns(Input $in): array
    {
        $id = $in->id('id');

        return [
            'runs' => $this->client->get(Client::path('schedules', $id, 'runs'), ['cursor' => $in->text('cursor'), 'limit' => 20])->body,
            'skips' => $this->client->get(Client::path('schedules', $id, 'skips'), ['limit' => 10])->body->items,
        ];
    }

    private function retryList(Input $in)
    {
        $query = [
            'flow' => self::FLOW,
            'connection' => $in->id('connection', false),
            'stream' => $in->text('stream', 191),
            'state' => $in->oneOf('state', ['waiting', 'dismissed']),
            'cursor' => $in->text('cursor'),
            'limit' => 50,
        ];

        return $this->client->get('/sync/retry-list', $query)->body;
    }

    private function retry(Input $in)
    {
        return $this->client->post(Client::path('sync', 'retry-list', $in->id('id'), 'retry'), null, $in->id('once', false))->body;
    }

    private function dismiss(Input $in)
    {
        return $this->client->post(Client::path('sync', 'retry-list', $in->id('id'), 'dismiss'))->body;
    }
}
