<?php

declare(strict_types=1);

namespace TradesyncTests\Service;

use Tradesync\Panel;
use TradesyncTests\ServiceCase;

/** The seller's day over the real service, and what a seller gets who edits ids in requests. */
final class PanelTest extends ServiceCase
{
    /** @var string */
    private static $connection;
    /** @var string */
    private static $stream;

    public function testBeforeTheAdministratorHasFilledInTheFieldsThereIsNothing(): void
    {
        self::assertSame(['connections' => []], self::panel('41')->act('state', self::in()));
    }

    public function testShopsAreTakenFromBillzRenamedAndRemoved(): void
    {
        self::$connection = self::connect('41');
        $panel = self::panel('41');
        $offers = $panel->act('discover', self::in(['connection' => self::$connection]));
        self::assertCount(3, $offers);
        foreach (array_slice($offers, 0, 2) as $offer) {
            $panel->act('addShop', self::in(['connection' => self::$connection, 'stream' => $offer->stream, 'name' => $offer->name]));
        }
        self::$stream = $offers[0]->stream;
        $panel->act('renameShop', self::in(['connection' => self::$connection, 'stream' => self::$stream, 'name' => 'Чиланзар']));
        $panel->act('removeShop', self::in(['connection' => self::$connection, 'stream' => $offers[1]->stream]));
        $shops = $panel->act('state', self::in())['connections'][0]['shops'];
        self::assertSame([[self::$stream, 'Чиланзар', null]], array_map(function ($shop) {
            return [$shop->stream, $shop->name, $shop->last_synced_at];
        }, $shops));
    }

    /** @depends testShopsAreTakenFromBillzRenamedAndRemoved */
    public function testAPreviewIsShownAndThenApplied(): void
    {
        $panel = self::panel('41');
        $of = ['connection' => self::$connection, 'stream' => self::$stream];
        $plan = self::ended($panel, $panel->act('sync', self::in($of + ['dry_run' => true]))->id);
        self::assertSame('awaiting_approval', $plan->state);
        $page = $panel->act('items', self::in(['run' => $plan->id, 'outcome' => 'created']));
        self::assertNotEmpty($page->items);
        self::assertSame('created', $page->items[0]->outcome);
        self::assertNotSame('', $page->items[0]->reason->text);
        $products = self::stack()->mysqli()->query('SELECT COUNT(*) FROM oc_product')->fetch_row()[0];

        $panel->act('approve', self::in(['run' => $plan->id]));
        $done = self::ended($panel, $plan->id);
        self::assertContains($done->state, ['succeeded', 'partial']);
        self::assertSame($plan->counts->created, $done->counts->created);
        $now = self::stack()->mysqli()->query('SELECT COUNT(*) FROM oc_product')->fetch_row()[0];
        self::assertSame($products + $done->counts->created, (int)$now);
    }

    /** @depends testAPreviewIsShownAndThenApplied */
    public function testASynchronisationFillsInItsDateAndADoubleClickIsOneRun(): void
    {
        $panel = self::panel('41');
        $of = ['connection' => self::$connection, 'stream' => self::$stream];
        $first = $panel->act('sync', self::in($of + ['once' => 'one-click-0001']));
        $second = $panel->act('sync', self::in($of + ['once' => 'one-click-0001']));
        self::assertSame($first->id, $second->id);
        self::ended($panel, $first->id);
        $shop = $panel->act('shop', self::in($of));
        self::assertNotNull($shop['shop']->last_synced_at);
        self::assertSame($first->id, $shop['runs'][0]->id);
    }

    /** @depends testAPreviewIsShownAndThenApplied */
    public function testTheReportComesAsCsv(): void
    {
        $panel = self::panel('41');
        $run = $panel->act('runs', self::in(['connection' => self::$connection]))->items;
        $file = fopen('php://memory', 'w+b');
        $panel->csv(self::in(['run' => end($run)->id, 'outcome' => 'created']), $file);
        rewind($file);
        $text = stream_get_contents($file);
        self::assertStringStartsWith("\xEF\xBB\xBF", $text, 'Excel needs the byte order mark');
        self::assertGreaterThan(10, substr_count($text, "\n"));
    }

    /** @depends testShopsAreTakenFromBillzRenamedAndRemoved */
    public function testAScheduleIsMadeEditedStoppedStartedAndDeleted(): void
    {
        $panel = self::panel('41');
        $rule = ['connection' => self::$connection, 'stream' => self::$stream, 'every' => '30m', 'timezone' => 'Asia/Tashkent', 'days' => [1, 2], 'from' => '09:00', 'to' => '21:00'];
        $made = $panel->act('saveSchedule', self::in($rule));
        self::assertSame(['from' => '09:00', 'to' => '21:00'], (array)$made->window);
        $listed = $panel->act('schedules', self::in($rule));
        self::assertCount(5, $listed[0]->next);
        $edited = $panel->act('saveSchedule', self::in(['id' => $made->id, 'cron' => '5 9 * * *', 'every' => '', 'from' => '', 'days' => []] + $rule));
        self::assertSame(['5 9 * * *', null, null, null], [$edited->cron, $edited->every, $edited->window, $edited->days]);
        self::assertFalse($panel->act('stopSchedule', self::in(['id' => $made->id]))->enabled);
        self::assertTrue($panel->act('startSchedule', self::in(['id' => $made->id]))->enabled);
        self::assertSame([], $panel->act('scheduleRuns', self::in(['id' => $made->id]))['skips']);
        $panel->act('deleteSchedule', self::in(['id' => $made->id]));
        self::assertSame([], $panel->act('schedules', self::in($rule)));
        self::assertSame('validation-failed', self::problem(function () use ($panel, $rule) {
            $panel->act('saveSchedule', self::in(['every' => 'now and then'] + $rule));
        })->name);
    }

    /** @depends testAPreviewIsShownAndThenApplied */
    public function testAnUnusualChangeWaitsForTheSellerWhoApprovesIt(): void
    {
        $panel = self::panel('41');
        $of = ['connection' => self::$connection, 'stream' => self::$stream];
        $page = $panel->act('items', self::in(['run' => $this->firstRun($panel), 'outcome' => 'created']));
        self::stack()->billz('PATCH', 'products/' . $page->items[0]->key, ['price' => ['Chilonzor' => '99000000']]);
        $run = self::ended($panel, $panel->act('sync', self::in($of + ['mode' => 'full']))->id);
        self::assertSame('awaiting_approval', $run->state);
        self::assertSame(1, $run->counts->held);
        $held = $panel->act('items', self::in(['run' => $run->id, 'outcome' => 'held']))->items[0];
        self::assertSame($page->items[0]->key, $held->key);
        self::assertNotEmpty($panel->act('explain', self::in(['connection' => self::$connection, 'item' => $held->key])));
        $panel->act('approve', self::in(['run' => $run->id]));
        self::assertSame('succeeded', self::ended($panel, $run->id)->state);
        $price = self::stack()->mysqli()->query('SELECT price FROM oc_product WHERE product_id = ' . (int)$held->target)->fetch_row()[0];
        self::assertSame('99000000.0000', $price);
        $undo = $panel->act('undo', self::in(['run' => $run->id]));
        self::assertSame('undo', self::ended($panel, $undo->id)->trigger);
    }

    /**
     * Every action that takes an id, with the ids of another seller.
     *
     * @depends testAScheduleIsMadeEditedStoppedStartedAndDeleted
     */
    public function testASellerWhoEditsIdsGetsNothingOfAnothers(): void
    {
        $own = self::panel('41');
        $schedule = $own->act('saveSchedule', self::in([
            'connection' => self::$connection, 'stream' => self::$stream, 'every' => '24h', 'timezone' => 'UTC',
        ]));
        $runs = self::stack()->mysqli()->query('SELECT COUNT(*) FROM tradesync_runs')->fetch_row()[0];
        $ids = [
            'connection' => self::$connection, 'stream' => self::$stream, 'run' => $this->firstRun($own), 'id' => $schedule->id, 'item' => 'x',
            'name' => 'Mine now', 'every' => '5m', 'timezone' => 'UTC',
        ];
        $other = self::panel('42');
        $refused = [];
        foreach (array_keys(Panel::ACTIONS) as $action) {
            $in = $ids;
            try {
                $answer = $other->act($action, self::in($in));
                self::assertContains($action, ['state', 'runs', 'schedules', 'retryList'], $action . ' was done');
                self::assertSame('', trim(str_replace(['connections', 'items', 'next_cursor', 'null'], '', json_encode($answer)), '{}[]":,'), $action);
            } catch (\Tradesync\Problem $problem) {
                self::assertSame('not-found', $problem->name, $action . ': ' . $problem->getMessage());
                $refused[] = $action;
            }
        }
        self::assertGreaterThan(15, count($refused));
        self::assertSame('not-found', self::problem(function () use ($other, $ids) {
            $other->csv(self::in(['run' => $ids['run']]), fopen('php://memory', 'w+b'));
        })->name);
        $stays = $own->act('schedules', self::in(['connection' => self::$connection, 'stream' => self::$stream]));
        self::assertSame([$schedule->id, '24h', true], [$stays[0]->id, $stays[0]->every, $stays[0]->enabled]);
        self::assertSame('Чиланзар', $own->act('state', self::in())['connections'][0]['shops'][0]->name);
        self::assertSame($runs, self::stack()->mysqli()->query('SELECT COUNT(*) FROM tradesync_runs')->fetch_row()[0]);
    }

    public function testTheSellersKeyNeitherReadsNorWritesWhatIsTheAdministrators(): void
    {
        $settings = self::settings();
        $client = $settings->onBehalfOf($settings->sellers()->get('41'));
        self::assertStringNotContainsString('demo-integration-key', json_encode($client->get('/connections/' . self::$connection)->body));
        foreach ([['PATCH', '/connections/' . self::$connection, ['name' => 'x']], ['DELETE', '/connections/' . self::$connection, null]] as list($method, $path, $body)) {
            self::assertSame('forbidden', self::problem(function () use ($client, $method, $path, $body) {
                $client->change($method, $path, $body);
            })->name);
        }
        self::assertSame('forbidden', self::problem(function () use ($client) {
            $client->get('/audit');
        })->name);
        self::assertSame('on-behalf-of-required', self::problem(function () use ($settings) {
            $settings->onNobodysBehalf()->get('/connections');
        })->name);
    }

    /** @dataProvider crookedInput */
    public function testCrookedInputIsRefusedBeforeTheServiceIsAsked(string $action, array $values): void
    {
        self::assertSame('bad-input', self::problem(function () use ($action, $values) {
            self::panel('41')->act($action, self::in($values));
        })->name);
    }

    public function crookedInput(): array
    {
        return [
            'no such action' => ['__construct', []],
            'a private helper' => ['onRun', ['run' => 'x']],
            'a path in an id' => ['run', ['run' => '../connections']],
            'no id' => ['approve', []],
            'a list for an id' => ['run', ['run' => ['x']]],
            'an outcome that is none' => ['items', ['run' => 'x', 'outcome' => 'all']],
            'no shop' => ['sync', ['connection' => 'x', 'stream' => ' ']],
            'a header in a text' => ['addShop', ['connection' => 'x', 'stream' => "a\x00b"]],
        ];
    }

    private function firstRun(Panel $panel): string
    {
        $runs = $panel->act('runs', self::in(['connection' => self::$connection]))->items;

        return end($runs)->id;
    }
}
