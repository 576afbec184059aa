<?php

declare(strict_types=1);

namespace TradesyncTests\Service;

use Tradesync\Client;
use Tradesync\Problem;
use Tradesync\Words;
use TradesyncTests\ServiceCase;
use TradesyncTests\Stack;

final class ClientTest extends ServiceCase
{
    public function testNobodyThereIsToldQuickly(): void
    {
        $began = microtime(true);
        $problem = self::problem(function () {
            self::client('http://127.0.0.1:' . Stack::freePort())->get('/readyz');
        });
        self::assertSame(Problem::UNREACHABLE, $problem->name);
        self::assertLessThan(3, microtime(true) - $began);
        self::assertStringContainsString('не отвечает', Words::problem($problem, 'ru')['text']);
    }

    public function testSomebodyWhoAnswersTooSlowlyIsNotWaitedFor(): void
    {
        $server = stream_socket_server('tcp://127.0.0.1:0');
        $began = microtime(true);
        $problem = self::problem(function () use ($server) {
            self::client('http://' . stream_socket_get_name($server, false))->get('/readyz');
        });
        self::assertSame(Problem::UNREACHABLE, $problem->name);
        self::assertLessThan(8, microtime(true) - $began);
    }

    public function testAnotherProgramAtTheAddressIsToldApart(): void
    {
        $problem = self::problem(function () {
            self::client(self::stack()->billz2)->get('/connections');
        });
        self::assertSame(Problem::NOT_TRADESYNC, $problem->name);
    }

    public function testACertificateOfAnUnknownAuthorityIsRefusedBeforeTheKeyIsSent(): void
    {
        $folder = sys_get_temp_dir() . '/tradesync-tls-' . getmypid();
        @mkdir($folder);
        $key = openssl_pkey_new(['private_key_bits' => 2048]);
        $config = $folder . '/openssl.cnf';
        file_put_contents($config, "[req]\ndistinguished_name=dn\n[dn]\n[ext]\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=CA:TRUE\n");
        $options = ['config' => $config, 'x509_extensions' => 'ext', 'digest_alg' => 'sha256'];
        $request = openssl_csr_new(['commonName' => '127.0.0.1'], $key, $options);
        openssl_x509_export(openssl_csr_sign($request, null, $key, 2, $options), $certificate);
        openssl_pkey_export($key, $secret);
        file_put_contents($folder . '/ca.pem', $certificate);
        file_put_contents($folder . '/server.pem', $certificate . $secret);
        $port = Stack::freePort();
        $code = '$s = stream_socket_server("ssl://127.0.0.1:' . $port . '", $n, $e, 12, stream_context_create(["ssl" => ["local_cert" => "' . $folder . '/server.pem"]]));'
            . 'while (true) { $c = @stream_socket_accept($s, 60); if ($c) { file_put_contents("' . $folder . '/seen", fread($c, 8192), FILE_APPEND);'
            . 'fwrite($c, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{\"status\":\"ok\"}"); fclose($c); } }';
        self::stack()->start('tls', [], [PHP_BINARY, '-r', $code]);
        Stack::listens($port, 'the TLS server');
        $url = 'https://127.0.0.1:' . $port;
        self::assertSame(Problem::TLS, self::problem(function () use ($url) {
            self::client($url)->get('/readyz');
        })->name);
        self::assertFileDoesNotExist($folder . '/seen');
        // The same certificate for another name.
        self::assertSame(Problem::TLS, self::problem(function () use ($port, $folder) {
            self::client('https://localhost:' . $port, 'ts_some_key_of_the_tests', $folder . '/ca.pem')->get('/readyz');
        })->name);
        // The name is looked at after the handshake: the server may have a connection by now, but nothing has come in it.
        self::assertSame('', (string)@file_get_contents($folder . '/seen'));
        self::assertSame('ok', self::client($url, 'ts_some_key_of_the_tests', $folder . '/ca.pem')->get('/readyz')->body->status);
        self::assertStringContainsString('Authorization: Bearer ts_some_key_of_the_tests', file_get_contents($folder . '/seen'));
        exec('rm -rf ' . escapeshellarg($folder));
    }

    public function testARedirectIsNotFollowedWithTheKey(): void
    {
        $port = Stack::freePort();
        $code = '$s = stream_socket_server("tcp://127.0.0.1:' . $port . '"); while (true) { $c = @stream_socket_accept($s, 60); if ($c) { fread($c, 8192);'
            . 'fwrite($c, "HTTP/1.1 302 Found\r\nLocation: ' . self::stack()->service . '/readyz\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"); fclose($c); } }';
        self::stack()->start('redirect', [], [PHP_BINARY, '-r', $code]);
        Stack::listens($port, 'the redirecting server');
        $problem = self::problem(function () use ($port) {
            self::client('http://127.0.0.1:' . $port)->get('/readyz');
        });
        self::assertSame([Problem::NOT_TRADESYNC, 302], [$problem->name, $problem->status]);
    }

    public function testAProblemDocumentKeepsItsCodeAndItsFields(): void
    {
        $client = self::settings()->admin();
        $problem = self::problem(function () use ($client) {
            $client->post('/connections', ['flow' => 'billz-opencart', 'name' => 'x', 'settings' => ['stock_cap' => -1, 'nonsense' => 1], 'secrets' => ['secret' => 'x']]);
        });
        self::assertSame(['validation-failed', 422], [$problem->name, $problem->status]);
        self::assertNotEmpty($problem->fields);
        self::assertStringContainsString('settings/', Words::problem($problem, 'en')['detail']);
        self::assertSame('unauthenticated', self::problem(function () {
            self::client(self::stack()->service)->get('/connections');
        })->name);
    }

    public function testPartsOfAPathAreEncoded(): void
    {
        self::assertSame('/connections/a%2Fb%3Fc/streams/%2E%2E', str_replace('..', '%2E%2E', Client::path('connections', 'a/b?c', 'streams', '..')));
    }
}
