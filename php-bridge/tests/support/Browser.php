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

    /** Width and height of the window: 375 is a phone. */
    public function size(int $width, int $height): void
    {
        $this->ask('POST', '/window/rect', ['width' => $width, 'height' => $height]);
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

    /** Waits until the expression is true. */
    public function wait(string $expression, string $what, int $seconds = self::WAIT): void
    {
        try {
            Stack::until(function () use ($expression) {
                return $this->run('return !!(' . $expression . ');') === true;
            }, $what, $seconds);
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

    /** Clicks the first visible element with this selector and, if given, this text in it. */
    public function click(string $selector, string $text = ''): void
    {
        $this->see($selector, $text);
        $this->run('var e = ' . $this->found($selector, $text) . '; e.scrollIntoView({block: "center"});');
        $this->wait('(function () { var e = ' . $this->found($selector, $text) . '; return e && !e.disabled; }())', "`$selector` enabled");
        $element = $this->run('return ' . $this->found($selector, $text) . ';');
        // A dialog that fades in is not where it will be yet.
        $this->wait('!document.querySelector(".modal.fade:not(.in)") || true', 'dialog');
        usleep(200000);
        $this->ask('POST', '/element/' . $element[self::ELEMENT] . '/click', new \stdClass());
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
        file_put_contents($file, base64_decode($this->ask('GET', '/screenshot')));
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
