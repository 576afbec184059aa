<?php

declare(strict_types=1);

namespace TradesyncTests;

/**
 * A real Chromium, driven through chromedriver (WebDriver, https://www.w3.org/TR/webdriver/): only what the tests of the bridge need.
 *
 * Everything waits: an element is looked for until it is there, for up to WAIT seconds.
 */
final class Browser
{
    private const WAIT = 30;
    /** The key of an element's id in WebDriver's answers. */
    private const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

    /** @var resource */
    private $driver;
    /** @var string */
    private $address;
    /** @var string */
    private $session;
    /** @var int */
    private $seen = 0;

    public function __construct()
    {
        $port = Stack::freePort();
        $this->address = 'http://127.0.0.1:' . $port;
        $command = [Stack::program(['chromedriver']), '--port=' . $port, '--log-level=SEVERE'];
        $this->driver = proc_open($command, [['file', '/dev/null', 'r'], ['file', '/dev/null', 'w'], ['file', '/dev/null', 'w']], $pipes);
        Stack::listens($port, 'chromedriver');
        $arguments = [
            '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--window-size=1280,900', '--lang=en-GB',
            '--force-color-profile=srgb', '--hide-scrollbars',
            // OpenCart's admin asks a host for fonts: the test needs no internet.
            '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
        ];
        $options = ['args' => $arguments, 'binary' => Stack::program(['chromium', 'chromium-browser', 'google-chrome'])];
        $answer = $this->ask('POST', '/session', ['capabilities' => ['alwaysMatch' => [
            'browserName' => 'chrome', 'goog:chromeOptions' => $options, 'goog:loggingPrefs' => ['browser' => 'ALL'],
        ]]], '');
        $this->session = $answer['sessionId'];
    }

    public function stop(): void
    {
        $this->ask('DELETE', '');
        proc_terminate($this->driver);
        proc_close($this->driver);
    }

    public function open(string $url): void
    {
        $this->ask('POST', '/url', ['url' => $url]);
    }

    public function url(): string
    {
        return $this->ask('GET', '/url');
    }

    /** The page as on a phone of this width, in CSS pixels: 360 is a small one. A window cannot be that narrow. */
    public function phone(int $width = 360, int $height = 720): void
    {
        $this->devtools('Emulation.setDeviceMetricsOverride', ['width' => $width, 'height' => $height, 'deviceScaleFactor' => 1, 'mobile' => true]);
    }

    /** The window as it was. */
    public function desk(): void
    {
        $this->devtools('Emulation.clearDeviceMetricsOverride');
    }

    /**
     * What of ours sticks out of the window on the right, or makes the page scroll sideways; empty when all fits.
     *
     * @return string[]
     */
    public function tooWide(): array
    {
        return $this->run(<<<'JS'
            var wide = document.documentElement.clientWidth, found = [];
            [].forEach.call(document.querySelectorAll('.tradesync, .tradesync *'), function (e) {
                var box = e.getBoundingClientRect();
                // The heads of tables are there for screen readers only.
                if (box.width && e.checkVisibility() && box.right > wide + 1 && !e.closest('thead')) {
                    found.push(e.tagName + '.' + e.className + ' "' + e.innerText.slice(0, 40) + '" in .' + e.parentNode.className + ' ' + Math.round(box.right) + ' > ' + wide);
                }
            });
            if (document.documentElement.scrollWidth > wide) {
                found.push('the page: ' + document.documentElement.scrollWidth + ' > ' + wide);
            }
            return found.slice(0, 8);
            JS);
    }

    /**
     * Controls of ours that a screen reader would read without a name, and labels that point nowhere.
     *
     * @return string[]
     */
    public function nameless(): array
    {
        return $this->run(<<<'JS'
            var text = function (e) { return e ? e.innerText.trim() : ''; };
            var name = function (e) {
                var by = e.getAttribute('aria-labelledby');
                return (e.getAttribute('aria-label') || '').trim() || (by ? by.split(' ').map(function (id) { return text(document.getElementById(id)); }).join(' ').trim() : '')
                    || [].map.call(e.labels || [], text).join(' ').trim() || (/^(A|BUTTON|SUMMARY)$/.test(e.tagName) ? text(e) || (e.title || '').trim() : '');
            };
            var found = [];
            [].forEach.call(document.querySelectorAll('.tradesync a[href], .tradesync button, .tradesync input:not([type=hidden]), .tradesync select, .tradesync textarea, .tradesync summary, .tradesync [role=progressbar]'), function (e) {
                if (e.checkVisibility() && e.getClientRects().length && !name(e)) {
                    found.push(e.outerHTML.slice(0, 160));
                }
            });
            [].forEach.call(document.querySelectorAll('.tradesync label[for]'), function (e) {
                var target = document.getElementById(e.htmlFor);
                if (!target || !/^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)) {
                    found.push('label for nothing: ' + text(e));
                }
            });
            var ids = [].map.call(document.querySelectorAll('[id^=tradesync]'), function (e) { return e.id; });
            ids.forEach(function (id, i) { if (ids.indexOf(id) !== i) { found.push('twice: #' + id); } });
            return found.slice(0, 8);
            JS);
    }

    /**
     * Runs JavaScript; `return` gives its value.
     *
     * @return mixed
     */
    public function run(string $script, array $arguments = [])
    {
        return $this->ask('POST', '/execute/sync', ['script' => $script, 'args' => $arguments]);
    }

    /** How many waits came true since the last time. */
    public function seen(): int
    {
        $seen = $this->seen;
        $this->seen = 0;

        return $seen;
    }

    /** Waits until the expression is true. */
    public function wait(string $expression, string $what, int $seconds = self::WAIT): void
    {
        try {
            Stack::until(function () use ($expression) {
                return $this->run('return !!(' . $expression . ');') === true;
            }, $what, $seconds);
            ++$this->seen;
        } catch (\RuntimeException $late) {
            throw new \RuntimeException($late->getMessage() . "\n" . substr($this->text('body'), 0, 2000));
        }
    }

    /** Waits for a visible element with this selector and, if given, this text in it. */
    public function see(string $selector, string $text = '', int $seconds = self::WAIT): void
    {
        $this->wait($this->found($selector, $text), "`$selector` with `$text`", $seconds);
    }

    /** Waits until no visible element is left. */
    public function gone(string $selector): void
    {
        $this->wait('!' . $this->found($selector, ''), "no `$selector`");
    }

    /** Clicks the first visible element with this selector and, if given, this text in it, once it can be clicked. */
    public function click(string $selector, string $text = ''): void
    {
        $this->see($selector, $text);
        $found = $this->found($selector, $text);
        $why = '';
        try {
            Stack::until(function () use ($found, &$why) {
                // What slides or fades in is clicked when it stands still: twice at the same place.
                $script = 'var e = ' . $found . '; if (!e || e.disabled) { return null; } e.scrollIntoView({block: "center"}); var b = e.getBoundingClientRect();'
                    . 'var place = [b.left, b.top, b.width].join(); if (e.tradesyncPlace !== place) { e.tradesyncPlace = place; return null; } return e;';
                $element = $this->run($script);
                try {
                    // Drawn anew, or under a dialog that still fades: look again.
                    return $element !== null && $this->ask('POST', '/element/' . $element[self::ELEMENT] . '/click') === null;
                } catch (\RuntimeException $early) {
                    $why = $early->getMessage();

                    return false;
                }
            }, "a click on `$selector` `$text`");
        } catch (\RuntimeException $late) {
            throw new \RuntimeException($late->getMessage() . ': ' . $why);
        }
    }

    /** Types into a field, in place of what is there. */
    public function type(string $selector, string $text): void
    {
        $this->see($selector);
        $element = $this->run('var e = ' . $this->found($selector, '') . '; e.scrollIntoView({block: "center"}); e.value = ""; return e;');
        $this->ask('POST', '/element/' . $element[self::ELEMENT] . '/value', ['text' => $text]);
    }

    /** Chooses a value of a select. */
    public function choose(string $selector, string $value): void
    {
        $this->see($selector);
        $this->run('var e = ' . $this->found($selector, '') . '; e.value = arguments[0]; jQuery(e).trigger("change");', [$value]);
    }

    public function text(string $selector): string
    {
        return (string)$this->run('var e = document.querySelector(arguments[0]); return e ? e.innerText : "";', [$selector]);
    }

    /** How many visible elements there are. */
    public function count(string $selector): int
    {
        return (int)$this->run(
            'return [].filter.call(document.querySelectorAll(arguments[0]), function (e) { return e.offsetParent !== null; }).length;',
            [$selector]
        );
    }

    /** What the scripts of the pages complained about since the last look. */
    public function complaints(): array
    {
        $lines = array_column($this->ask('POST', '/se/log', ['type' => 'browser']), 'message');

        return array_values(array_filter($lines, function ($line) {
            return strpos($line, 'favicon') === false;
        }));
    }

    public function screenshot(string $file): void
    {
        // What fades or slides must have come to rest.
        usleep(600000);
        $image = imagecreatefromstring(base64_decode($this->ask('GET', '/screenshot')));
        // Small enough for a repository: pages have few colours.
        imagetruecolortopalette($image, false, 128);
        imagepng($image, $file, 9);
    }

    private function devtools(string $command, array $parameters = []): void
    {
        $this->ask('POST', '/goog/cdp/execute', ['cmd' => $command, 'params' => (object)$parameters]);
    }

    private function found(string $selector, string $text): string
    {
        return '[].filter.call(document.querySelectorAll(' . json_encode($selector) . '), function (e) { return e.getClientRects().length > 0 && '
            . '(e.innerText || e.value || "").toLowerCase().indexOf(' . json_encode(mb_strtolower($text), JSON_UNESCAPED_UNICODE) . ') >= 0; })[0]';
    }

    private function ask(string $method, string $path, $body = null, ?string $session = null)
    {
        $session = $session ?? '/session/' . $this->session;
        $curl = curl_init($this->address . $session . $path);
        curl_setopt_array($curl, [CURLOPT_CUSTOMREQUEST => $method, CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 120]);
        if ($method === 'POST') {
            curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($body ?? new \stdClass(), JSON_UNESCAPED_UNICODE));
            curl_setopt($curl, CURLOPT_HTTPHEADER, ['Content-Type: application/json']);
        }
        $text = curl_exec($curl);
        $answer = json_decode((string)$text, true);
        if (curl_getinfo($curl, CURLINFO_RESPONSE_CODE) !== 200) {
            throw new \RuntimeException('WebDriver ' . $path . ': ' . ($answer['value']['message'] ?? (string)$text));
        }

        return $answer['value'];
    }
}
